"""Starts LocalStack on the loopback interface only: on IPv4 it ignores the host in GATEWAY_LISTEN and takes all of them."""

import os
import tempfile
from functools import partial

from twisted.internet import endpoints

tempfile.tempdir = os.environ["FORGE_TMP"]
endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

from localstack.runtime.main import main  # noqa: E402

main()
