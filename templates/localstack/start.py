"""Starts LocalStack inside its workspace and on the loopback interface only: on IPv4 it ignores the host in GATEWAY_LISTEN and
takes all of them, and its S3 has one folder in /tmp for everybody."""

import os
import sys
import tempfile
from functools import partial

from twisted.internet import endpoints

tempfile.tempdir = os.environ["FORGE_TMP"]
endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")

from localstack import config  # noqa: E402
from localstack.runtime.main import main  # noqa: E402
from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore  # noqa: E402

# The index of all AWS services, made when LocalStack was installed: making it takes 350 MiB that it never gives back.
config.dirs.static_libs = os.path.join(sys.prefix, "filesystem/usr/lib/localstack")

_init = EphemeralS3ObjectStore.__init__
EphemeralS3ObjectStore.__init__ = lambda self, _folder=None: _init(self, os.path.join(os.environ["FORGE_TMP"], "s3"))

main()
