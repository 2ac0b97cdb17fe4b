"""Entry: `python app.py` serves; `gunicorn -c gunicorn.conf.py app:app` finds the application here."""

# multiprocessing would run this file once more in its children, as "__mp_main__". They need none of it.
if __name__ != "__mp_main__":
    from gevent import monkey

    monkey.patch_all()  # before anything else is imported: sockets and locks are taken by name

if __name__ in {"app", "__main__"}:
    import os
    from typing import Any

    from chat2api.settings.model import Settings

    def build(settings: Settings) -> Any:
        # Only workers come here, after the fork.
        from chat2api.factory import create_app

        return create_app(settings)


if __name__ == "app":
    from chat2api.serve.keeper import process_keeper

    app = build(process_keeper().current().settings)

if __name__ == "__main__":
    import sys

    from chat2api.serve.command import run

    run(sys.argv[1:], build, os.environ)
