import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake


def test_a_question_imports_no_pandas_which_takes_longer_than_the_answer(home: Path) -> None:
    write_deltalake(str(home / "some" / "rows"), pa.table({"n": pa.array([1, 2], pa.int32())}))
    program = (
        "import sys\n"
        "from lakeward.workspace.lakehouse import batches, query\n"
        "from lakeward.workspace.tables import Column, Table\n"
        "table = Table(name='some.rows', comment='', columns=[Column('n', 'INT', '')], key=['n'])\n"
        "sql = 'SELECT sum(n) AS n FROM some.rows'\n"
        "print(query(sql, table)['n'], [batch.num_rows for batch in batches(sql, table)], 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "3" in done.stdout
    assert done.stdout.split()[-2:] == ["[1]", "False"]
