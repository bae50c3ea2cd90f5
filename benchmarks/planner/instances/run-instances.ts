/** `npm run bench:planner -- instances [--count 300] [--seed-from HASH] [--resume]`. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readRunOptions, runResumably } from '../resumable-run.js';
import { drawInstance } from './draw-instance.js';
import type { Instance } from './instance.js';
import { type InstanceResult, measureInstance } from './measure-instance.js';
import { barsOf, isMissed, reportOf } from './report-instances.js';

const DEFAULT_COUNT = 300;
/** Every n-th instance is planned as a process, too. */
const PROCESS_EVERY = 15;
const MAIN = fileURLToPath(new URL('../../../packages/app/dist/main.js', import.meta.url));

export function runInstances(args: readonly string[]): boolean {
  const options = readRunOptions('instances', DEFAULT_COUNT, args);
  const isBuilt = existsSync(MAIN);
  if (!isBuilt) process.stdout.write('`equipoise plan` is not built: no CPU as a process (npm run build)\n');
  const results = runResumably<InstanceResult>(options, {
    measure: (index) => {
      const instance = drawInstance(options.seedFrom, index);
      const asProcess = isBuilt && index % PROCESS_EVERY === 0;
      const result = measureInstance(index, instance, {
        simulations: options.simulations,
        ...(asProcess && { processCpuS }),
      });
      if (isMissed(result)) keepInstance(`${options.out}-missed`, instance);
      return result;
    },
    line,
    report: reportOf,
  });
  return barsOf(results).every(({ met }) => met);
}

/** The pipeline file of an instance that the planner misses, with the command that asks for it. */
function keepInstance(folder: string, instance: Instance): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${instance.name}.yaml`);
  const nodes = instance.nodeCores === undefined ? '' : ` --node-cores ${instance.nodeCores.join(',')}`;
  const command = `# equipoise plan ${instance.name}.yaml --arrival-rps ${instance.arrivalRps}${nodes}`;
  writeFileSync(file, `${command}\n${JSON.stringify(instance.document, null, 1)}\n`);
}

/** CPU of all threads of `equipoise plan`, written by a hook at its exit; undefined if it fails. */
function processCpuS({ document, arrivalRps, nodeCores }: Instance): number | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-plan-'));
  try {
    const file = join(folder, 'pipeline.yaml');
    const cpuFile = join(folder, 'cpu');
    writeFileSync(file, JSON.stringify(document));
    const hook = `import{writeFileSync}from'node:fs';process.on('exit',()=>{const{user,system}=process.cpuUsage();writeFileSync(${JSON.stringify(cpuFile)},String(user+system))})`;
    const nodes = nodeCores === undefined ? [] : ['--node-cores', nodeCores.join(',')];
    const asked = ['plan', file, '--arrival-rps', String(arrivalRps), ...nodes, '--json'];
    const imported = `data:text/javascript,${encodeURIComponent(hook)}`;
    spawnSync(process.execPath, ['--import', imported, MAIN, ...asked], { stdio: 'ignore' });
    return existsSync(cpuFile) ? Number(readFileSync(cpuFile, 'utf8')) / 1e6 : undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function line({ name, planner, reference, loss, falseInfeasible, objective }: InstanceResult): string {
  const verdict = falseInfeasible
    ? `${planner.kind}, but a plan holds`
    : loss === undefined
      ? planner.kind
      : `loss accuracy ${percent(loss.accuracy)}, cost ${percent(loss.cost)}, tie ${percent(loss.tieCost)}`;
  const found = `${reference.origin ?? 'none'}${reference.exhaustive ? ', exhaustive' : ''}, ${reference.simulations} simulations, ${reference.cpuS.toFixed(1)} s`;
  return `${name} ${objective}: ${verdict} · planner ${planner.cpuS.toFixed(2)} s · reference ${found}`;
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;
