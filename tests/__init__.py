"""The promises of the platform."""

import os

# Before grpc is imported: its fork handlers assume that a forked child goes on using
# gRPC, and now and then break one that is only about to become another program.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
