"""What npkPy reads out of packages: one line of JSON for each file named."""

import json
import sys
from pathlib import Path

from npkpy.npk.cnt_architecture_tag import NPK_ARCHITECTURE_TAG
from npkpy.npk.npk import Npk
from npkpy.npk.pck_description import NPK_PCK_DESCRIPTION
from npkpy.npk.pck_header import NPK_PCK_HEADER


def describe(path):
    try:
        npk = Npk(Path(path))
        parts = npk.pck_cnt_list
    # Its own errors are no Exceptions.
    except BaseException as error:
        return {"error": type(error).__name__}
    header = next(part for part in parts if part.cnt_id == NPK_PCK_HEADER)
    # "7.16.1 - rc(?): 102": the stage is a letter of ASCII.
    numbers, stage = header.cnt_os_version.split(" - rc(?): ")
    wanted = (NPK_ARCHITECTURE_TAG, NPK_PCK_DESCRIPTION)
    texts = {part.cnt_id: part.cnt_payload.decode() for part in parts if part.cnt_id in wanted}
    return {
        "name": header.cnt_program_name,
        "numbers": [int(number) for number in numbers.split(".")],
        "stage": chr(int(stage)),
        "built": header.cnt_built_time.strftime("%Y-%m-%dT%H:%M:%S"),
        "flags": len(header.cnt_flags),
        "arch": texts.get(NPK_ARCHITECTURE_TAG),
        "description": texts.get(NPK_PCK_DESCRIPTION),
        "containers": [part.cnt_id for part in parts],
        "payload": parts[-1].cnt_payload_len,
        "size": npk.pck_full_size,
        "same": npk.pck_full_binary == Path(path).read_bytes(),
    }


for argument in sys.argv[1:]:
    print(json.dumps(describe(argument)))
