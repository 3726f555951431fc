"""The transcript of the first five minutes: every line as it is promised, every printed URL and command run."""

import re
import time

from tests.journeys.shell import Shell
from tests.journeys.town import free_base

from metanode.client import Client

STEPS = (
    r"\[\d+\.\ds\] checks      python 3\.\d+\.\d+ · ports [0-9, -]+ free · [0-9.]+ GiB free",
    r"\[\d+\.\ds\] keys        4 validators, development keys in \.bpi \(never for value\)",
    r"\[\d+\.\ds\] validators  4/4 running · tolerates 1 faulty",
    r"\[\d+\.\ds\] finality    height \d+ final · last block \d+\.\d\d s ago",
    r"\[\d+\.\ds\] self-test   1 transaction sent, receipt verified from raw bytes in [0-9.]+ ms",
    r"\[\d+\.\ds\] agents      4/4 active · containers by [a-z, ]+",
    r"READY  http://127\.0\.0\.1:\d+   try:  bpi coin transfer --to globex --amount 420",
)
API = """
name: shop
services:
  api:
    image: metanode.host/usr
    command: ["/usr/bin/python3", "-m", "http.server", "8080", "--directory", "/usr/share"]
    deploy: {resources: {limits: {cpus: "0.1", memory: 64m}}}
"""


def test_the_first_five_minutes(tmp_path):
    bpi = Shell(tmp_path)
    try:
        lines = bpi.says(f"up --port-base {free_base()}").splitlines()
        assert [bool(re.fullmatch(step, line)) for step, line in zip(STEPS, lines, strict=True)] == [True] * 7, lines
        url = lines[-1].split()[1]
        with Client(url) as client:
            assert client.ready()
            assert client.node.status().chain_name == "development"
        printed = lines[-1].partition("try:  bpi ")[2]
        said = bpi.run(printed)
        assert re.fullmatch(r"FINAL  height \d+ · \d+\.\d\d s · receipt rcpt_\w+\n", said.out), said
        assert "signing: acme transfers 420.00 USD to globex" in said.err

        trusting, counts = bpi.says("verify").splitlines()
        assert re.fullmatch(r"trusting genesis [0-9a-f]{4}… \(local file\) · checked by this process, .+", trusting)
        found = re.fullmatch(
            r"headers (\d+)/\1 · commits \1/\1 \([34 or]+ of 4\) · receipts (\d+)/\2        VALID  height \1", counts
        )
        assert found, counts

        (tmp_path / "services").mkdir()
        (tmp_path / "services" / "api.yaml").write_text(API)
        run = bpi.run("container run services/api.yaml")
        final, running = run.out.splitlines()
        assert re.fullmatch(r"FINAL  height (\d+) · \d+\.\d\d s · receipt rcpt_\w+", final), run
        placed = r"RUNNING  api · 1 of 1 on node-\d · placed by block \d+ · seen \d+\.\d\d s after finality"
        assert re.fullmatch(placed, running), run
        assert bpi.says("container exec api.0 /usr/bin/python3 -c 'print(6 * 7)'") == "42\n"

        tampered = bpi.run("demo tamper")
        assert tampered.out.splitlines()[-1] == "one byte flipped in the receipt … INVALID (layer: inclusion)   exit 21"
        assert tampered.status == 21

        bpi.says("testnet kill validator-3")
        status = bpi.says("status").strip()
        assert status == ("YELLOW  3/4 validators · still final · no further fault tolerated · fix: bpi testnet heal")
        bpi.says(status.rpartition("fix: bpi ")[2])
        assert bpi.says("status").startswith("GREEN  4/4 validators · final")

        bpi.says("down")
        began = time.monotonic()
        again = bpi.says("up").splitlines()
        took = time.monotonic() - began
        assert re.fullmatch(r"\[\d+\.\ds\] keys        4 nodes, made before in \.bpi \(never for value\)", again[1])
        assert took < 30, "six seconds on a quiet machine"
    finally:
        bpi.run("down")
