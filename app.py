"""Entry: `python app.py` serves; `gunicorn -c gunicorn.conf.py app:app` finds the application here."""

# multiprocessing would run this file once more in its children, as "__mp_main__". They need none of it.
if __name__ != "__mp_main__":
    from chat2api.serve.early import go_green, settle

    go_green()  # before anything else is imported: sockets and locks are taken by name

if __name__ in {"app", "__main__"}:
    import os
    from typing import Any

    from chat2api.serve.keeper import SettingsKeeper, process_keeper

    def build(keeper: SettingsKeeper) -> Any:
        # Only workers come here, after the fork.
        from chat2api.factory.app import create_app

        return create_app(keeper)

    def warm() -> None:
        # The workers share what is imported before they are forked, and start at once.
        import chat2api.factory.app  # noqa: F401

        settle()


if __name__ == "app":
    app = build(process_keeper())
    settle()

if __name__ == "__main__":
    import sys

    from chat2api.serve.command import run

    run(sys.argv[1:], build, os.environ, warm)
