"""People who load a page over and over: `python readers.py URL PEOPLE`, until its
standard input ends. Prints how many pages they got."""

import sys
import threading
import urllib.request

pages: list[int] = []
is_over = threading.Event()


def read(url: str) -> None:
    while not is_over.is_set():
        with urllib.request.urlopen(url) as answer:
            pages.append(len(answer.read()))


def main() -> None:
    url, people = sys.argv[1], int(sys.argv[2])
    threads = [threading.Thread(target=read, args=[url]) for _ in range(people)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    is_over.set()
    for thread in threads:
        thread.join()
    print(len(pages))


if __name__ == "__main__":
    main()
