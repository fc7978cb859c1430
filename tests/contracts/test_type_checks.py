"""Annotations of the library are executed in tests: of the first calls of a test, then of some."""

import typechecker
from jaxtyping import TypeCheckError


def failures(function, n_calls):
    """Numbers of the calls that a check stopped."""
    found = []
    for number in range(1, n_calls + 1):
        try:
            function(number)
        except TypeCheckError:
            found.append(number)
    return found


def wrong(number: int) -> str:
    return number  # pyright: ignore[reportReturnType]


def test_the_first_calls_of_each_test_are_checked_and_some_later_ones():
    checked = typechecker._check_some(wrong, typechecker=typechecker.check)
    expected = [*range(1, typechecker.FIRST + 1)]
    expected += range(2 * typechecker.EVERY, 101, typechecker.EVERY)
    assert typechecker.FIRST % typechecker.EVERY == 0
    assert failures(checked, 100) == expected
    typechecker.begin_test()
    assert failures(checked, 3) == [1, 2, 3]


def test_inner_functions_are_checked_too_though_defined_often():
    def definitions(n):
        for _ in range(n):

            @typechecker._check_some(typechecker=typechecker.check)
            def inner(number: int) -> str:
                return number  # pyright: ignore[reportReturnType]

            yield failures(inner, 1)

    typechecker.begin_test()
    stopped = sum(map(len, definitions(typechecker.FIRST)))
    assert stopped == typechecker.FIRST


def test_the_library_has_the_checks():
    import jaxcause as jc

    assert failures(lambda number: jc.metrics.auroc(number, "no scores"), 1) == [1]
