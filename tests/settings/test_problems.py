from chat2api.settings.problems import Problem, SettingsError


def test_all_problems_are_told_at_once():
    error = SettingsError([Problem("PORT", "must be small", "99999"), Problem("X", "is unknown")])
    assert str(error) == (
        "The configuration has a mistake in 2 places:\n  PORT=99999: must be small\n  X: is unknown"
    )


def test_one_problem():
    assert str(SettingsError([Problem("X", "is unknown")])) == (
        "The configuration has a mistake:\n  X: is unknown"
    )
