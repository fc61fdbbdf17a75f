from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakeward.jobs.schedule.quartz import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, SECOND, Cron, Field
from lakeward.workspace.errors import ConfigurationError
from quartz_itself import Quartz, quartz

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Sydney"]
CHANGES = [  # of clocks, each in one of the zones
    datetime(2021, 3, 28, 1, tzinfo=UTC),
    datetime(2021, 10, 31, 1, tzinfo=UTC),
    datetime(2024, 3, 10, 7, tzinfo=UTC),
    datetime(2024, 11, 3, 6, tzinfo=UTC),
    datetime(2017, 10, 15, 3, tzinfo=UTC),  # at midnight
    datetime(2018, 2, 18, 2, tzinfo=UTC),
    datetime(2025, 4, 5, 16, tzinfo=UTC),
]


generated = settings(max_examples=150, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def itself() -> Iterator[Quartz]:
    with quartz() as running:
        yield running


def fires(cron: Cron, after: datetime) -> Iterator[datetime]:
    while (found := cron.next(after)) is not None:
        yield (after := found)


def items(field: Field) -> st.SearchStrategy[str]:
    number = st.integers(field.low, field.high).map(str)
    step = st.integers(1, field.high).map(str)
    kinds = [
        number,
        st.tuples(number, number).map("-".join),
        st.tuples(number, step).map("/".join),
        st.tuples(number, number, step).map(lambda n: f"{n[0]}-{n[1]}/{n[2]}"),
        step.map("*/{}".format),
    ]
    if field.names:
        name = st.sampled_from(field.names)
        kinds += [name, st.tuples(name, name).map("-".join)]
    return st.one_of(kinds)


def texts(field: Field) -> st.SearchStrategy[str]:
    return (
        st.just("*")
        | st.just("0" if field.low == 0 else "*")
        | st.lists(items(field), min_size=1, max_size=3).map(",".join)
    )


@st.composite
def expressions(draw: st.DrawFn) -> str:
    day = st.one_of(
        texts(DAY_OF_MONTH),
        st.sampled_from(["L", "LW", "L-3", "L-3W"]),
        st.integers(1, 27).map("L-{}".format),
        st.integers(1, 28).map("{}W".format),
    )
    weekday = st.one_of(
        texts(DAY_OF_WEEK),
        st.just("L"),
        st.integers(1, 7).map("{}L".format),
        st.sampled_from(DAY_OF_WEEK.names).map("{}L".format),
        st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda n: f"{n[0]}#{n[1]}"),
    )
    days = draw(st.tuples(day, texts(MONTH), st.just("?")) | st.tuples(st.just("?"), texts(MONTH), weekday))
    years = draw(st.sampled_from(["", " *", " 2020-2030/3", " 2019,2024-2026"]))
    return " ".join([draw(texts(SECOND)), draw(texts(MINUTE)), draw(texts(HOUR)), *days]) + years


moments = st.one_of(
    st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.tuples(st.sampled_from(CHANGES), st.integers(-7200, 7200)).map(lambda at: at[0] + timedelta(seconds=at[1])),
).map(lambda moment: moment.replace(microsecond=0))


@given(expression=expressions(), zone=st.sampled_from(ZONES), after=moments)
@example(expression="0 30 2 * * ?", zone="Europe/Berlin", after=datetime(2021, 3, 27, 12, tzinfo=UTC))
@example(expression="0 30 0 * * ?", zone="America/Sao_Paulo", after=datetime(2017, 10, 14, 12, tzinfo=UTC))
@example(expression="* * * * * ?", zone="America/New_York", after=datetime(2024, 11, 3, 5, 59, 50, tzinfo=UTC))
@example(expression="0 0 0 29 2 ?", zone="Europe/Berlin", after=datetime(2095, 1, 1, tzinfo=UTC))
@generated
def test_fires_when_quartz_does(itself: Quartz, expression: str, zone: str, after: datetime) -> None:
    ours = list(islice(fires(Cron.parse(expression, zone), after), 10))
    theirs = [at for at in itself.fires(expression, zone, after, 10) if at.year < 2100]
    assert ours == theirs


@given(wild=st.lists(st.text("0123456789*/-,?LW#", min_size=1, max_size=4), min_size=6, max_size=6))
@generated
def test_accepts_nothing_that_quartz_refuses(itself: Quartz, wild: list[str]) -> None:
    fields = ("{} 0 0 ? * *", "0 {} 0 ? * *", "0 0 {} ? * *", "0 0 0 {} * ?", "0 0 0 ? {} *", "0 0 0 ? * {}")
    for field, text in zip(fields, wild, strict=True):
        expression = field.format(text)
        try:
            Cron.parse(expression, "UTC")
        except ConfigurationError:
            continue
        assert itself.accepts(expression), expression


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("0 0 25 * * ?", "'25' is no hour: write a number from 0 to 23"),
        ("60 0 0 * * ?", "'60' is no second: write a number from 0 to 59"),
        ("0 0 0 * *", "it has 5 fields: write second, minute"),
        ("0 0 12 * * *", "write ? for one of them"),
        ("0 0 12 ? * ?", "write ? for one of them"),
        ("0 0 12 ? * MON-FRI/2", "'MON-FRI/2' is no day of week"),
        ("0 0 12 ? * 2#1,4", "each alone"),
        ("0 0 12 ? * 0", "'0' is no day of week: write a number from 1 to 7"),
        ("0 0 12 L,15 * ?", "each alone"),
        ("0 0 12 L-31 * ?", "at most 30 days"),
        ("0 0 12 1 FOO ?", "'FOO' is no month"),
        ("0 0/0 12 * * ?", "'0/0' is no minute: write a step from 1 to 59"),
        ("0 0 12 1 1 ? 2030-2020", "write the earlier year first"),
    ],
)
def test_a_wrong_expression_is_refused_with_field_value_and_cure(expression: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Cron.parse(expression, "Europe/Berlin")
    assert told in str(refused.value)
    assert repr(expression) in str(refused.value)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc", "", "EST7"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="write area and city"):
        Cron.parse("0 0 12 * * ?", zone)


def days(expression: str) -> list[str]:
    fired = fires(Cron.parse(expression, "UTC"), datetime(2025, 12, 31, tzinfo=UTC))
    return [f"{at:%m-%d}" for at in fired]


def test_a_month_that_is_too_short_has_no_31st_and_no_weekday_near_it() -> None:
    # Quartz 2.3 takes 31W of June for the first of July; later versions don't.
    assert days("0 0 12 31W * ? 2026") == ["01-30", "03-31", "05-29", "07-31", "08-31", "10-30", "12-31"]
    assert days("0 0 12 L-30 * ? 2026") == ["01-01", "03-01", "05-01", "07-01", "08-01", "10-01", "12-01"]


def test_what_is_left_of_an_hour_that_the_clocks_half_skip_counts() -> None:
    """Lord Howe's clocks go from 2:00 to 2:30, where Quartz passes over 2:45."""
    cron = Cron.parse("0 20,45 2 * * ?", "Australia/Lord_Howe")
    assert cron.next(datetime(2021, 10, 2, 15, tzinfo=UTC)) == datetime(2021, 10, 2, 15, 45, tzinfo=UTC)


def test_what_can_never_be_fires_never() -> None:
    assert Cron.parse("0 0 0 30 2 ?", "UTC").next(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert Cron.parse("0 0 0 1 1 ? 2020", "UTC").next(datetime(2026, 1, 1, tzinfo=UTC)) is None
