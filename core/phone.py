"""Phone numbers in E.164."""

from dataclasses import dataclass

import phonenumbers

from core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Phone:
    """A valid phone number; prints masked, so that it can't slip into a log."""

    e164: str
    """With the plus sign: `+254700000001`."""

    @classmethod
    def parse(cls, text: str, region: str = "KE") -> "Phone":
        """Read a number as people write it; `region` (ISO 3166) completes local forms such as 0700 000 001.

        Raises:
            InvalidInput: it is no possible number of any country.
        """
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException as error:
            raise InvalidInput("phone", "This is no phone number. Write it as +254700000001.") from error
        if not phonenumbers.is_possible_number(number):
            raise InvalidInput(
                "phone", "This phone number is too short or too long. Write it as +254700000001."
            )
        return cls(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    @property
    def digits(self) -> str:
        """Without the plus sign, as most providers want it."""
        return self.e164.removeprefix("+")

    @property
    def masked(self) -> str:
        """Country, operator and the last three digits: `+2547*****001`."""
        return f"{self.e164[:5]}{'*' * (len(self.e164) - 8)}{self.e164[-3:]}"

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Phone({self.masked})"
