/** The source files behind a stage module: itself and, again and again, those that it imports from beside it. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';

/** Whether something is there and is a file. */
export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/**
 * Paths with texts, the module at `path` first. In JavaScript and TypeScript relative imports are followed, in Python those of modules
 * that lie in the folder of the stage module or beside the importing file; packages that are installed are left out.
 */
export function moduleSources(path: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const imports = extname(path) === '.py' ? pythonImports(dirname(path)) : scriptImports;
  const collect = (file: string): void => {
    if (found.has(file)) return;
    const text = readFileSync(file, 'utf8');
    found.set(file, text);
    for (const imported of imports(file, text)) collect(imported);
  };
  collect(path);
  return found;
}

const RELATIVE_IMPORT = /(?:from|import|require)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

function scriptImports(path: string, text: string): readonly string[] {
  return [...text.matchAll(RELATIVE_IMPORT)].flatMap(([, reference = '']) => {
    const imported = scriptFile(resolve(dirname(path), reference));
    return imported === undefined ? [] : [imported];
  });
}

/** A source file for an import path; modules name their compiled form (`./x.js`) where only the source exists. */
function scriptFile(path: string): string | undefined {
  const stem = path.slice(0, path.length - extname(path).length);
  return [path, `${stem}.ts`, `${path}.ts`, `${path}.js`, join(path, 'index.ts'), join(path, 'index.js')].find(isFile);
}

/** `import a.b as c, d`, and `from ..a import b, c` with its names over several lines where they stand in parentheses. */
const PYTHON_IMPORT =
  /^[ \t]*(?:import[ \t]+([^\n#;]+)|from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n#;]+))/gm;

/** Files that a Python file imports, where absolute names are looked up in `root`, as the first entry of `sys.path` is. */
const pythonImports =
  (root: string) =>
  (path: string, text: string): readonly string[] =>
    [...text.replaceAll('\\\n', ' ').matchAll(PYTHON_IMPORT)].flatMap(([, plain, dots = '', from = '', names = '']) => {
      if (plain !== undefined) return namesIn(plain).flatMap((name) => pythonFiles(root, name));
      // One dot is the folder of the file, each further one the folder above.
      const folder = dots === '' ? root : resolve(dirname(path), ...Array.from(dots.slice(1), () => '..'));
      // What is imported from a package may be a module of it or something in its own file.
      return [from, ...namesIn(names).map((name) => (from === '' ? name : `${from}.${name}`))].flatMap((name) =>
        pythonFiles(folder, name),
      );
    });

/** The names of `a as b, c # why`, without what they are called here. */
const namesIn = (list: string): readonly string[] =>
  list
    .replaceAll(/#.*$|[()]/gm, '')
    .split(',')
    .map((part) => part.trim().split(/\s+/)[0] ?? '')
    .filter((name) => /^[\w.]+$/.test(name));

/** The file of a dotted name below `folder` and those of the packages that it lies in, which are run when it is imported. */
function pythonFiles(folder: string, dotted: string): readonly string[] {
  const parts = dotted.split('.').filter((part) => part !== '');
  const packages = [[], ...parts.map((_, index) => parts.slice(0, index + 1))].map((path) =>
    join(folder, ...path, '__init__.py'),
  );
  const module = parts.length === 0 ? [] : [`${join(folder, ...parts)}.py`];
  return [...packages, ...module].filter(isFile);
}
