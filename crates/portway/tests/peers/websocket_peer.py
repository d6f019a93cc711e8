"""A WebSocket server and client that know nothing of Portway.

websocket_peer.py server           prints its port, serves until it is ended
websocket_peer.py client HOST:PORT AUTHORITY
                                   talks in messages of many sizes; prints `all messages as expected`, or fails
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

SIZES = (0, 1, 125, 126, 65_535, 65_536, 1_000_000)


async def echo(connection: ServerConnection) -> None:
    """Greets without being asked, then sends back what comes; says goodbye with a code of its own."""
    await connection.send("welcome")
    async for message in connection:
        if message == "bye":
            await connection.close(4000, "as you wish")
            return
        else:
            await connection.send(message)


async def serve_forever() -> None:
    """Serves on a free port."""
    async with serve(echo, "127.0.0.1", 0, max_size=2**21, subprotocols=["chat.v1"]) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


async def talk(target: str, authority: str) -> None:
    """Sends messages of many sizes, text and binary, a ping, and a wish to end."""
    uri = f"ws://{authority}/socket"
    host, port = target.split(":")
    async with connect(uri, host=host, port=int(port), max_size=2**21, subprotocols=["chat.v1"]) as connection:
        assert connection.subprotocol == "chat.v1"
        assert await connection.recv() == "welcome"
        for size in SIZES:
            for message in ("x" * size, b"\x00" * size):
                await connection.send(message)
                assert await connection.recv() == message, size
        await (await connection.ping())
        await connection.send("bye")
        try:
            await connection.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (4000, "as you wish"), closed
    print("all messages as expected")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["server"]:
            asyncio.run(serve_forever())
        case ["client", target, authority]:
            asyncio.run(asyncio.wait_for(talk(target, authority), 60))
        case _:
            sys.exit(__doc__)
