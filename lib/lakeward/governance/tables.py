"""Tables of the area governance: the audit trail, published for analysis. The trail itself is the record."""

from lakeward.workspace.tables import Column, Table

AUDIT = Table(
    name="governance.audit",
    comment="Events of the audit trail, less what can be erased from it: reasons and details are in the trail only.",
    columns=[
        Column("log", "STRING", "Name of the log, as its signed heads have it"),
        Column("sequence", "BIGINT", "Number of the event in the log; retired events leave gaps"),
        Column(
            "recorded", "TIMESTAMP", "When the log took it, UTC; files are in this order, so a day is in few of them"
        ),
        Column("kind", "STRING", "What the event is about, by the catalogue"),
        Column("type", "STRING", "Area, thing and deed"),
        Column("object", "STRING", "Pseudonymous name of what it was done to"),
        Column("outcome", "STRING", "success, failure or refused"),
        Column("actor", "STRING", "Who did it"),
        Column("host", "STRING", "Machine on which it was done"),
        Column("process", "BIGINT", "Number of the process that did it"),
        Column("at", "TIMESTAMP", "When it was done, UTC"),
        Column("id", "STRING", "Id of the event"),
        Column("disclosures", "INT", "How many reasons and details it had; the trail has those not erased"),
        Column("leaf", "STRING", "Hash of the event in the log's tree, hexadecimal: what a proof leads from"),
    ],
    key=["log", "sequence"],
    checks={"outcome": "outcome IN ('success', 'failure', 'refused')", "sequence": "sequence >= 0"},
    restricted=True,
)
"""Its folder is that of the identities, too, which is for its owner alone."""

TABLES = [AUDIT]
