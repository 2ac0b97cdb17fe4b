"""`gunicorn -c gunicorn.conf.py app:app` serves as `python app.py` does; gunicorn's options win."""

from chat2api.serve.conf import conf_options

globals().update(conf_options())
