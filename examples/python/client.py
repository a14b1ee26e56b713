"""A client in Python: asks which model a task needs, and prints the answer."""

import pathlib
import sys

import google.rpc
import grpc

# The foreign protos that the contract imports come with googleapis-common-protos.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "proto"))
sys.path.append(str(pathlib.Path(list(google.rpc.__path__)[0]).parents[1]))
messages, services = grpc.protos_and_services("adjutant/v1/routing_service.proto")
task = grpc.protos("adjutant/v1/task.proto")

from google.rpc import error_details_pb2, status_pb2

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"
with grpc.insecure_channel(address) as channel:
    client = services.RoutingServiceStub(channel)
    decision = client.Route(
        messages.RouteRequest(
            task=task.Task(
                prompt="Summarise these notes into a one-page brief",
                material=task.Material(input_tokens=4000),
            )
        ),
        timeout=5,
    ).decision
    cost = decision.estimate.expected
    print(
        f"{decision.model.provider}/{decision.model.id} ({task.Tier.Name(decision.tier)}), "
        f"expected cost ${cost.units}.{cost.nanos:09d}"
    )
    for reason in decision.reasons:
        print("-", reason.text)

    # A refusal is a status whose details name each field that is at fault.
    try:
        client.Route(messages.RouteRequest(task=task.Task()), timeout=5)
    except grpc.RpcError as error:
        print(error.code().name)
        status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
        for detail in status.details:
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                for violation in bad.field_violations:
                    print(f"- {violation.field}: {violation.description}")
