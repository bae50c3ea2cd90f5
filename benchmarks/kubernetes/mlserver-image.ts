/**
 * Image of MLServer with the models of `mlserver/`, made by the repository's image tools: Python, the installed packages
 * (`scripts/real-clients/install`) and their libraries, as this machine has them. Sources are compiled before, because a
 * container may not write.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, type ImageEntry, link, text, tree } from '../../scripts/image/image-entry.js';
import { writeArchive } from '../../scripts/image/oci-archive.js';
import { systemFiles } from '../../scripts/image/system-files.js';
import { installed, VARIANTS } from './mlserver-pipeline.js';
import { LAYERS, modelName, THEIR_STAGES } from './theirs-pipeline.js';

/** The tag is not `latest`, so that the node pulls nothing. */
export const MLSERVER_IMAGE = 'equipoise-bench-mlserver:1';
/** Folder of the models in the image. */
export const MODELS = '/pipeline/models';

/** Packages of other suites in the same Python environment. */
const OTHERS = /^(moto|boto|cfn|sympy|networkx|docker|isympy|pip|setuptools|s3transfer|flask|graphql)/;
const PYTHON = 'opt/python';
const COMMAND = `#!/usr/bin/sh\nexec /${PYTHON}/bin/python3 -c 'from mlserver.cli import main; main()' "$@"\n`;

/** Writes the image as an archive. */
export async function buildMlServerImage(archive: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'equipoise-mlserver-'));
  try {
    const { base, version } = pythonOf();
    const library = `lib/python${version}`;
    const packages = join(work, 'site-packages');
    cpSync(join(installed, library, 'site-packages'), packages, {
      recursive: true,
      filter: (path) => !OTHERS.test(path.split('/site-packages/')[1] ?? ''),
    });
    const own = join(work, 'library');
    cpSync(join(base, library), own, { recursive: true, filter: isUsed });
    for (const each of [packages, own]) compile(each);
    const program = join(base, 'bin', `python${version}`);
    const native = [program, ...nativeIn(packages), ...nativeIn(own)];
    const system = systemFiles(native, '#!/usr/bin/sh\n');
    const python: readonly ImageEntry[] = [
      ...tree(`${PYTHON}/${library}`, own, () => false),
      ...tree(`${PYTHON}/${library}/site-packages`, packages, () => false),
      ...tree(`${PYTHON}/bin`, join(base, 'bin'), (path) => !path.endsWith(`/python${version}`)),
      ...tree(`${PYTHON}/lib`, join(base, 'lib'), (path) => !/\/libpython[^/]*$/.test(path)),
      link(`${PYTHON}/bin/python3`, `python${version}`),
      text('usr/local/bin/mlserver', COMMAND, 0o755),
    ];
    const runtime = tree('pipeline', fileURLToPath(new URL('mlserver', import.meta.url)), isLeftOut);
    const models = [...runtime, ...THEIR_STAGES.flatMap((stage) => VARIANTS.map((each) => modelOf(stage, each)))];
    const config = {
      ...{ Entrypoint: ['mlserver'], Cmd: ['start', MODELS], User: '1000:1000', WorkingDir: '/pipeline' },
      Env: ['PATH=/usr/local/bin:/usr/bin', `LD_LIBRARY_PATH=/${PYTHON}/lib`, 'HOME=/tmp', 'PYTHONPATH=/pipeline'],
      ...{ ExposedPorts: { '8080/tcp': {} }, Labels: {} },
    };
    await writeArchive(
      { name: MLSERVER_IMAGE, layers: [[...system, folder('tmp')], python, models], config },
      archive,
      work,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Models of other sections have one name for all variants. */
const isLeftOut = (path: string): boolean => /__pycache__|\/models$/.test(path);

function modelOf(stage: string, variant: (typeof VARIANTS)[number]): ImageEntry {
  const name = modelName(stage, variant);
  const parameters = { extra: { layers: LAYERS[variant] } };
  const settings = { name, implementation: 'layers_runtime.Layers', parameters };
  return text(`${MODELS.slice(1)}/${name}/model-settings.json`, JSON.stringify(settings));
}

const isUsed = (path: string): boolean =>
  !/\/(__pycache__|site-packages|test|tests|idlelib|tkinter|ensurepip|config-[^/]*)(\/|$)/.test(path);

function pythonOf(): { readonly base: string; readonly version: string } {
  const code = 'import sys; print(sys.base_prefix); print("%d.%d" % sys.version_info[:2])';
  const [base = '', version = ''] = execFileSync(join(installed, 'bin/python3'), ['-c', code], { encoding: 'utf8' })
    .trim()
    .split('\n');
  return { base, version };
}

/** Byte code whose validity does not depend on times: files of an image have none. */
function compile(path: string): void {
  const flags = ['-m', 'compileall', '-q', '--invalidation-mode', 'unchecked-hash', path];
  try {
    execFileSync(join(installed, 'bin/python3'), flags, { stdio: 'ignore' });
  } catch {
    // Some packages have templates that are no valid sources.
  }
}

const nativeIn = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.so(\.|$)/.test(name))
    .map((name) => join(path, name));
