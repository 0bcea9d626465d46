"""Statements as providers export them; all values are invented."""

from typing import Final

SHORT_CODE: Final = "174379"
MPESA: Final = (
    "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,"
    "Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No."
)
API: Final = (
    "id,amount,fee,net,currency,type,reporting_category,source,created,available_on,status,description"
)
REPORT: Final = (
    "id,Type,Source,Amount,Fee,Destination Platform Fee,Destination Platform Fee Currency,Net,Currency,"
    "Created (UTC),Available On (UTC),Description"
)


def mpesa(*rows: str, short_code: str = SHORT_CODE) -> bytes:
    """An organisation statement with its preamble; its first row is the file's sixth."""
    preamble = ["Account Holder:,Mama Njeri", f"Short Code:,{short_code}", "Time Period:,November", ""]
    return "\n".join([*preamble, MPESA, *rows, ""]).encode()


def receipt_row(
    receipt: str,
    paid_in: str = "",
    withdrawn: str = "",
    *,
    details: str = "Pay Bill from 2547 ***** 001",
    at: str = "21-11-2026 10:30:15",
) -> str:
    """One row of an organisation statement."""
    return f'{receipt},{at},{at},{details},Completed,"{paid_in}","{withdrawn}",0,true,,2547 ***** 001,,'
