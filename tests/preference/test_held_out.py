"""Which prompts are held out: by their words alone, the wished share of them, and more of them for a larger share."""

from studio.preference.held_out import is_held_out

PROMPTS = [f"prompt number {k}" for k in range(2_000)]


def test_the_share_is_met_and_a_larger_one_holds_out_what_a_smaller_one_did() -> None:
    for share in (0.1, 0.2, 0.5):
        count = sum(is_held_out(prompt, share) for prompt in PROMPTS)
        deviation = (len(PROMPTS) * share * (1 - share)) ** 0.5
        assert abs(count - len(PROMPTS) * share) < 3 * deviation
    small = {prompt for prompt in PROMPTS if is_held_out(prompt, 0.1)}
    assert small < {prompt for prompt in PROMPTS if is_held_out(prompt, 0.3)}
    assert not any(is_held_out(prompt, 0) for prompt in PROMPTS)
    assert all(is_held_out(prompt, 1) for prompt in PROMPTS)


def test_case_and_spaces_do_not_matter() -> None:
    assert all(is_held_out(prompt) == is_held_out(f"  {prompt.upper()} \n") for prompt in PROMPTS[:200])
