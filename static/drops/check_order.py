# python3 check_order.py SHA256 < line.txt     (the SHA-256 from before the start)
import hashlib
import sys

text = sys.stdin.read().split("# Later", 1)[0]
seed = text.split("# seed: ")[1].split()[0]
numbers = [line for line in text.splitlines() if line and line[0] != "#"]
ranks = [hashlib.sha256(f"{seed}:{n}".encode()).hexdigest() for n in numbers]
assert hashlib.sha256(seed.encode()).hexdigest() == sys.argv[1], "Another seed."
assert ranks == sorted(ranks), "Another order."
print(f"{len(numbers)} tickets are in the order of the seed.")
