from __future__ import annotations

import json
import tarfile
import tempfile
import unittest
from pathlib import Path

from localcluster import images
from localcluster.images import Image
from localcluster.layout import ClusterError


class ImageTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def write(self, image: Image, name: str = "image.tar") -> Path:
        images.write(image, self.directory / name)
        return self.directory / name

    def test_a_linked_program_brings_its_loader_and_libraries(self) -> None:
        archive = self.write(Image(["a:1", "a:2"], ["/sleep"], {"/sleep": Path("/bin/sleep")}, user="1:1"))
        with tarfile.open(archive) as outer:
            manifest = json.load(outer.extractfile("manifest.json"))[0]
            config = json.load(outer.extractfile(manifest["Config"]))
            with tarfile.open(fileobj=outer.extractfile(manifest["Layers"][0])) as layer:
                names = layer.getnames()
                tmp = layer.getmember("tmp")
        self.assertEqual(manifest["RepoTags"], ["a:1", "a:2"])
        self.assertEqual((config["config"]["Entrypoint"], config["config"]["User"]), (["/sleep"], "1:1"))
        self.assertIn("sleep", names)
        self.assertTrue(any("ld-linux" in name for name in names), names)
        self.assertTrue(any(name.endswith("libc.so.6") for name in names), names)
        self.assertEqual(tmp.mode, 0o1777)

    def test_the_same_files_give_the_same_archive(self) -> None:
        image = Image(["a:1"], ["/true"], {"/true": Path("/bin/true")})
        self.assertEqual(self.write(image, "one.tar").read_bytes(), self.write(image, "two.tar").read_bytes())

    def test_what_is_no_program_is_refused(self) -> None:
        text = self.directory / "text"
        text.write_text("x")
        with self.assertRaisesRegex(ClusterError, "is no program"):
            self.write(Image(["a:1"], ["/text"], {"/text": text}))
        self.assertEqual(list(self.directory.glob("*.tar*")), [])
