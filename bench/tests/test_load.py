"""What the load generators print, and what counts as an error in it."""

from __future__ import annotations

import unittest

from proxybench.load import parse_h2load, parse_vegeta

H2LOAD = """\
finished in 502.36ms, 32.00 req/s, 5.97KB/s
requests: 20 total, 24 started, 20 done, {succeeded} succeeded, {failed} failed, 1 errored, 0 timeout
status codes: {ok} 2xx, {redirected} 3xx, {failed} 4xx, 0 5xx
traffic: 2.98KB (3056) total, 960B (960) headers (space savings 0.00%), 1.56KB (1600) data
"""


class H2load(unittest.TestCase):
    def test_failures_errors_and_redirects_are_errors(self) -> None:
        counted = parse_h2load(H2LOAD.format(succeeded=17, failed=2, ok=15, redirected=2))
        self.assertEqual((counted.succeeded, counted.errors, counted.body_bytes), (15, 5, 1600))

    def test_output_without_summary_is_not_taken_for_success(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "connection refused"):
            parse_h2load("connection refused")


class Vegeta(unittest.TestCase):
    def rows(self, slow_start: int = 0, status: str = "200", body: int = 100) -> str:
        """A second of 1,000 requests that take 1, 2, ... 100 µs in turn; the first ones may take 5 ms instead."""
        times = [5_000_000 if number < slow_start else (number % 100 + 1) * 1000 for number in range(1000)]
        return "\n".join(
            f"{10**18 + number * 10**6},{status if number == 999 else 200},{time},0,{body},,Ym9keQ==,,{number},GET,url,"
            for number, time in enumerate(times)
        )

    def test_percentiles_are_in_microseconds(self) -> None:
        latency = parse_vegeta(self.rows(), body=100)
        self.assertAlmostEqual(latency.p50_microseconds, 50.5, delta=1)
        self.assertAlmostEqual(latency.p99_microseconds, 99.5, delta=1)
        self.assertAlmostEqual(latency.achieved_rate, 1000, delta=5)
        self.assertEqual(latency.errors, 0)

    def test_the_warm_up_does_not_count_as_latency(self) -> None:
        self.assertEqual(parse_vegeta(self.rows(slow_start=250), body=100), parse_vegeta(self.rows(), body=100))

    def test_other_answers_than_200_are_errors(self) -> None:
        self.assertEqual(parse_vegeta(self.rows(status="503"), body=100).errors, 1)

    def test_a_body_of_another_length_is_an_error(self) -> None:
        self.assertEqual(parse_vegeta(self.rows(body=99), body=100).errors, 1000)

    def test_no_answers_are_no_latency(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "no request"):
            parse_vegeta("", body=100)


if __name__ == "__main__":
    unittest.main()
