"""Static files with their hash in the name, ES module imports included."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage that also rewrites `import … from "./x.js";`.

    Imports must end in a semicolon: Django's pattern asks for it.
    """

    support_js_module_import_aggregation = True
