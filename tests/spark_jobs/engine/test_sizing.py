"""spark_jobs.engine.sizing: the formula at its edges."""

import pytest

from spark_jobs.engine.sizing import Size, size_for

MB, GB, TB = 1 << 20, 1 << 30, 1 << 40


@pytest.mark.parametrize(
    ("input_bytes", "expected"),
    [
        pytest.param(0, Size(4, 1), id="nothing"),
        pytest.param(64 * MB, Size(4, 1), id="a partition, though four cores"),
        pytest.param(300 * MB, Size(8, 1), id="five partitions are two waves of four"),
        pytest.param(768 * MB, Size(12, 1), id="three waves of one executor"),
        pytest.param(768 * MB + 1, Size(16, 2), id="and one more"),
        pytest.param(10 * GB, Size(168, 14), id="160 partitions"),
        pytest.param(TB, Size(16_400, 50), id="a terabyte: more waves, not more executors"),
    ],
)
def test_the_size_follows_the_input(input_bytes: int, expected: Size) -> None:
    assert size_for(input_bytes) == expected


def test_as_options_of_spark_submit() -> None:
    assert Size(shuffle_partitions=16, executors=2).options() == [
        *("--conf", "spark.cores.max=8"),
        *("--conf", "spark.executor.cores=4"),
        *("--conf", "spark.executor.instances=2"),
        *("--conf", "spark.sql.shuffle.partitions=16"),
    ]
