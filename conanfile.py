import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir
from conan.tools.gnu import PkgConfigDeps

required_conan_version = ">=2.1"


class MprocConan(ConanFile):
    name = "mproc"
    description = "Python's multiprocessing for C: processes that work together and may die"
    license = "Apache-2.0"
    url = "https://github.com/mproc/mproc"
    homepage = "https://github.com/mproc/mproc"
    topics = ("multiprocessing", "process", "shared-memory", "ipc")
    package_type = "library"
    languages = "C"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "tools": [True, False]}
    default_options = {"shared": False, "fPIC": True, "tools": False}
    implements = ["auto_shared_fpic"]
    exports_sources = (
        "CMakeLists.txt",
        "LICENSE",
        "cmake/*",
        "include/*",
        "src/*",
        "tests/*",
        "tools/*",
    )

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "CMakeLists.txt"))
        self.version = re.search(r"project\(mproc VERSION ([0-9.]+)", text).group(1)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("apr/1.7.6")
        if self.settings.os != "Windows":
            self.requires("openssl/[>=1.1 <4]")

    @property
    def _with_tests(self):
        return not self.conf.get("tools.build:skip_test", default=True, check_type=bool)

    def build_requirements(self):
        if self._with_tests:
            self.test_requires("cunit/2.1-3")
            self.test_requires("msgpack-c/6.0.0")

    def validate(self):
        if self.settings.os not in ("Linux", "Windows"):
            raise ConanInvalidConfiguration(f"mproc runs on Linux and Windows, not on {self.settings.os} yet")

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["MPROC_TESTS"] = self._with_tests
        toolchain.cache_variables["MPROC_TOOLS"] = bool(self.options.tools)
        toolchain.cache_variables["MPROC_EXAMPLES"] = False
        toolchain.cache_variables["MPROC_BENCH"] = False
        toolchain.generate()
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()
        if self._with_tests:
            cmake.ctest()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.libs = ["mproc"]
        self.cpp_info.set_property("cmake_file_name", "mproc")
        self.cpp_info.set_property("cmake_target_name", "mproc::mproc")
        self.cpp_info.set_property("pkg_config_name", "mproc")
        self.cpp_info.requires = ["apr::apr"]
        if self.settings.os == "Windows":
            self.cpp_info.system_libs = ["ws2_32", "advapi32", "bcrypt"]
        else:
            self.cpp_info.requires.append("openssl::crypto")
            self.cpp_info.system_libs = ["pthread", "dl"]
