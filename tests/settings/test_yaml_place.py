from chat2api.settings.problems import Problem
from chat2api.settings.yaml_place import Place

LINES = {(): 1, ("chatgpts",): 4, ("chatgpts", 0): 5, ("chatgpts", 0, "email"): 6}
EMAIL = Place("a.yaml", LINES).at("chatgpts").at(0).at("email")


def test_a_place_has_a_name_and_a_line():
    assert (EMAIL.name, EMAIL.line) == ("chatgpts[0].email", 6)
    assert EMAIL.source == "a.yaml chatgpts[0].email"
    assert EMAIL.written_as == "chatgpts[0].email (a.yaml line 6)"


def test_a_place_without_a_line():
    odd = Place("a.yaml", LINES).at(True)
    assert (odd.name, odd.line, odd.written_as) == ("True", None, "True (a.yaml)")


def test_a_problem_carries_both():
    assert EMAIL.problem("is odd") == Problem(
        "chatgpts[0].email (a.yaml line 6)", "is odd", None, 6
    )
