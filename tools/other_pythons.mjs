// Compiles all sources with the Python of a Pyodide build, and imports those modules that need nothing beside it.
// node tools/other_pythons.mjs FOLDER_OF_PYODIDE REPOSITORY
import { pathToFileURL } from "node:url";

const [folder, repository] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`).href);
const pyodide = await loadPyodide();
pyodide.FS.mkdirTree("/repository");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: repository }, "/repository");
const failed = await pyodide.runPythonAsync(`
import importlib, pathlib, sys, warnings

sys.dont_write_bytecode = True
warnings.simplefilter("error", SyntaxWarning)
warnings.simplefilter("error", DeprecationWarning)
root = pathlib.Path("/repository")
failed, compiled, imported, lacking = [], 0, 0, set()
for top in ("dflcolab", "tests", "benchmarks", "tools"):
    for path in sorted((root / top).rglob("*.py")):
        compiled += 1
        try:
            compile(path.read_text(encoding="utf-8"), str(path), "exec")
        except (SyntaxError, SyntaxWarning, DeprecationWarning) as error:
            failed.append(f"{path}: {error}")
warnings.resetwarnings()
sys.path.insert(0, str(root))
for path in sorted((root / "dflcolab").rglob("*.py")):
    if path.name == "__main__.py":
        continue
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    try:
        importlib.import_module(name)
        imported += 1
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("dflcolab"):
            failed.append(f"{name}: {error}")
        lacking.add(error.name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print(f"Python {sys.version.split()[0]}: {compiled} files compile, {imported} modules import; the others need {', '.join(sorted(lacking))}")
print("\\n".join(failed))
len(failed)
`);
process.exit(failed ? 1 : 0);
