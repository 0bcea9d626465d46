"""Taking over an old provider configuration, and undoing it."""

from typing import Annotated

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.ids import Kind, inside, outside
from resolvers import provider_imports
from resolvers.provider_imports import ImportView
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.provider_account_types import ConfigurationViolation, ImportNotReversibleError
from schema.scalars import api_enum
from tenancy.context import TenantContext
from tenant_db.credentials import importing
from tenant_db.credentials.importing import EntryOutcome

api_enum(
    EntryOutcome,
    "ProviderImportOutcome",
    "What became, or would become, of one entry.",
    {
        EntryOutcome.CREATED: "An account was made, switched off until its keys are proven.",
        EntryOutcome.EXISTS: "There is an account of this name already; nothing was done.",
        EntryOutcome.REFUSED: "It can't be taken over; `violations` say why.",
        EntryOutcome.REMOVED: "Rolled back: the account is gone.",
        EntryOutcome.KEPT_USED: "Not rolled back: payments or statements name the account.",
        EntryOutcome.KEPT_CHANGED: "Not rolled back: somebody changed the account since.",
        EntryOutcome.GONE: "The account was gone already.",
    },
)


@strawberry.type(description="One entry of an old document.")
class ProviderImportEntry:
    key: str = strawberry.field(description="Its name in the document.")
    outcome: EntryOutcome = strawberry.field(description="What became of it.")
    provider_account_id: strawberry.ID | None = strawberry.field(
        description="The account that was made; starts with pacc_."
    )
    is_active: bool = strawberry.field(description="It was active: switched on once its keys are proven.")
    is_default: bool = strawberry.field(description="It was the default: it becomes yours if you have none.")
    violations: list[ConfigurationViolation] = strawberry.field(description="Why it was refused.")

    @classmethod
    def of(cls, entry: importing.EntryResult) -> "ProviderImportEntry":
        account = entry.account_id
        return cls(
            key=entry.key,
            outcome=entry.outcome,
            provider_account_id=(
                None if account is None else strawberry.ID(outside(Kind.PROVIDER_ACCOUNT, account))
            ),
            is_active=entry.is_active,
            is_default=entry.is_default,
            violations=[ConfigurationViolation.of(violation) for violation in entry.violations],
        )


@strawberry.type(description="What an import did, or would do.")
class ProviderImport:
    id: strawberry.ID | None = strawberry.field(
        description="To roll it back; starts with pimport_. Null for a dry run."
    )
    entries: list[ProviderImportEntry] = strawberry.field(description="Each entry of the document.")

    @classmethod
    def of(cls, view: ImportView) -> "ProviderImport":
        return cls(
            id=None if view.id is None else strawberry.ID(outside(Kind.PROVIDER_IMPORT, view.id)),
            entries=[ProviderImportEntry.of(entry) for entry in view.entries],
        )


@strawberry.input(description="The old configuration.")
class ImportPaymentProvidersInput:
    document: JSON = strawberry.field(
        description=(
            "The old `paymentProviders` object: by provider, with `environment` (live or test), `keys`,"
            " `currencies`, `priority`, `isActive`, `isDefault`, `displayName`."
        )
    )
    dry_run: bool = strawberry.field(default=False, description="Only say what would be done.")


@strawberry.input(description="The import to undo.")
class RollbackPaymentProviderImportInput:
    import_id: strawberry.ID = strawberry.field(description="The import; starts with pimport_.")


@strawberry.type(description="The document was read; each entry says what became of it.")
class ImportPaymentProvidersSuccess:
    provider_import: ProviderImport = strawberry.field(description="What was, or would be, done.")


@strawberry.type(description="What the import made and nobody used or changed since is gone.")
class RollbackPaymentProviderImportSuccess:
    provider_import: ProviderImport = strawberry.field(description="What became of each account.")


ImportPaymentProvidersResult = Annotated[
    ImportPaymentProvidersSuccess | InvalidInputError | ForbiddenError,
    strawberry.union("ImportPaymentProvidersResult", description="Whether the document was read."),
]
RollbackPaymentProviderImportResult = Annotated[
    RollbackPaymentProviderImportSuccess
    | ImportNotReversibleError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("RollbackPaymentProviderImportResult", description="Whether it was rolled back."),
]


@strawberry.type(description="Taking over an old configuration.")
class ProviderImportMutations:
    @strawberry.mutation(
        description="Makes accounts of an old configuration document, entry by entry. Needs channels:write."
    )
    async def import_payment_providers(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ImportPaymentProvidersInput, strawberry.argument(description="The document.")],
    ) -> ImportPaymentProvidersResult:
        run = provider_imports.try_import if input.dry_run else provider_imports.import_payment_providers
        view = await run(info.context, input.document)
        return ImportPaymentProvidersSuccess(provider_import=ProviderImport.of(view))

    @strawberry.mutation(
        description="Removes what an import made and nobody used or changed since. Needs channels:write."
    )
    async def rollback_payment_provider_import(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RollbackPaymentProviderImportInput, strawberry.argument(description="Which one.")],
    ) -> RollbackPaymentProviderImportResult:
        id_ = inside(Kind.PROVIDER_IMPORT, input.import_id)
        view = await provider_imports.rollback_payment_provider_import(info.context, id_)
        return RollbackPaymentProviderImportSuccess(provider_import=ProviderImport.of(view))
