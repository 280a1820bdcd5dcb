"""What a load test reads from `/metrics`."""

from realtime.loadtest import server_metrics


def test_metrics_are_added_up_and_the_loops_lag_is_kept_by_bucket():
    text = "\n".join(
        [
            "# HELP shop_sockets Sockets",
            'shop_sockets{kind="guest"} 3.0',
            'shop_sockets{kind="person"} 2.0',
            "process_resident_memory_bytes 1.5e+06",
            'shop_loop_lag_seconds_bucket{le="0.01"} 90.0',
            'shop_loop_lag_seconds_bucket{le="0.05"} 99.0',
            'shop_loop_lag_seconds_bucket{le="+Inf"} 100.0',
        ]
    )

    assert server_metrics.parse(text) == {
        "shop_sockets": 5,
        "process_resident_memory_bytes": 1.5e6,
        "shop_loop_lag_seconds_le_0.01": 90,
        "shop_loop_lag_seconds_le_0.05": 99,
        "shop_loop_lag_seconds_le_inf": 100,
    }


def test_metrics_that_are_cut_off_are_read_as_far_as_they_go():
    assert server_metrics.parse(
        'shop_sockets\nshop_sockets{a="b"} 2\nshop_sockets '
    ) == {"shop_sockets": 2}
