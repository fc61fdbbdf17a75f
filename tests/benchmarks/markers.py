"""How many planted markers are left by Lakeward, and by other programs with their default settings on the same files.

The others are installed into an environment that is thrown away, so this needs a package index. Counted are markers
that the Basic Profile does not let stay; where a program gives no output, its markers count as refused, not as left.

Example: python tests/benchmarks/markers.py --json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pydicom
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.deidentification.standard import BASIC_PROFILE
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import Quarantined
from lakeward.imaging.verification.leaks import planted
from lakeward.imaging.verification.planting import Planted
from lakeward.imaging.verification.search import Needles

DRIVER = """
import sys
from pathlib import Path
{imports}
for path in sorted(Path(sys.argv[1]).iterdir()):
    new = Path(sys.argv[2]) / path.name
    try:
        {step}
    except Exception:
        new.unlink(missing_ok=True)
"""
OTHERS = {
    "dicom-anonymizer": (
        "from dicomanonymizer import anonymize_dicom_file",
        "anonymize_dicom_file(str(path), str(new))",
    ),
    "dicognito": (
        "import pydicom; from dicognito.anonymizer import Anonymizer; one = Anonymizer(seed='1')",
        "ds = pydicom.dcmread(path); one.anonymize(ds); ds.save_as(new)",
    ),
    "deid": (
        "from deid.dicom import replace_identifiers",
        "replace_identifiers([str(path)])[0].save_as(new)",
    ),
    "gdcmanon": (
        "import subprocess; home = Path(sys.executable).parent",
        "subprocess.run([home / 'gdcmanon', '-c', home / 'cert.pem', '-i', path, '-o', new], check=True)",
    ),
}
PACKAGES = {"gdcmanon": "python-gdcm"}
"""Where a program's package is not called as the program is."""
Run = Callable[[dict[str, Planted]], dict[str, bytes]]


def ours(objects: dict[str, Planted]) -> dict[str, bytes]:
    """De-identify under the Basic Profile."""
    recipe, done = Recipe(load_profile("basic"), bytes(32)), {}
    for name, one in objects.items():
        try:
            done[name] = deidentify(one.content, recipe).dicom
        except Quarantined:
            continue
    return done


def theirs(program: str, home: Path) -> Run:
    """Return what runs another program, in its environment, over all the files."""
    imports, step = OTHERS[program]

    def run(objects: dict[str, Planted]) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            before, after = Path(folder, "before"), Path(folder, "after")
            before.mkdir(), after.mkdir()
            for name, one in objects.items():
                (before / name).write_bytes(one.content)
            code = DRIVER.format(imports=imports, step=step)
            python = str(home / "bin" / "python")
            subprocess.run([python, "-c", code, str(before), str(after)], capture_output=True, check=True, timeout=900)
            return {path.name: path.read_bytes() for path in after.iterdir()}

    return run


def judged(objects: dict[str, Planted], done: dict[str, bytes]) -> tuple[Counter[str], Counter[str], int]:
    """Markers left and refused by kind of place, and how many outputs say by (0012,0064) what was done to them."""
    left: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    stamped = 0
    for name, one in objects.items():
        must_go = [marker for marker in one.markers if not marker.allowed]
        if name not in done:
            refused.update(marker.place for marker in must_go)
            continue
        found = Needles(marker.text for marker in must_go).found(done[name])
        left.update(marker.place for marker in must_go if marker.text in found)
        methods = pydicom.dcmread(BytesIO(done[name])).get("DeidentificationMethodCodeSequence") or ()
        stamped += any(method.get("CodeValue") == BASIC_PROFILE.value for method in methods)
    return left, refused, stamped


def installed(folder: Path) -> Path:
    """Make the environment of the other programs."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", str(folder)], check=True)
    packages = [PACKAGES.get(program, program) for program in OTHERS]
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages], check=True
    )
    (folder / "bin" / "cert.pem").write_bytes(certificate())
    return folder


def certificate() -> bytes:
    """Of nobody: gdcmanon seals under one what it takes out, into an attribute of the same file."""
    key, name = rsa.generate_private_key(65537, 2048), x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    objects = {f"{number:03}": one for number, one in enumerate(planted(load_profile("basic")))}
    places = Counter(marker.place for one in objects.values() for marker in one.markers if not marker.allowed)
    with tempfile.TemporaryDirectory() as folder:
        home = installed(Path(folder))
        runs: dict[str, Run] = {"lakeward": ours} | {program: theirs(program, home) for program in OTHERS}
        results = {program: judged(objects, run(objects)) for program, run in runs.items()}
    rows = [
        {"place": place, "planted": count}
        | {program: {"left": left[place], "refused": refused[place]} for program, (left, refused, _) in results.items()}
        for place, count in places.items()
    ]
    stamps = {program: stamped for program, (_, _, stamped) in results.items()}
    if given.json:
        json.dump({"places": rows, "stamped": stamps, "objects": len(objects)}, sys.stdout, indent=2)
        return
    print(f"Markers left (refused) of those that must go, in {len(objects)} objects")
    print(f"{'':38}{'planted':>9}" + "".join(f"{program:>18}" for program in results))
    total = {"place": "all", "planted": places.total()}
    total |= {name: {"left": left.total(), "refused": no.total()} for name, (left, no, _) in results.items()}
    for row in [*rows, total]:
        cells = "".join(f"{row[name]['left']:>9,} ({row[name]['refused']:,})".rjust(18) for name in results)
        print(f"{row['place']:38}{row['planted']:>9,}{cells}")
    print(f"{'objects that are stamped':38}{'':>9}" + "".join(f"{stamped:>18,}" for stamped in stamps.values()))


if __name__ == "__main__":
    main()
