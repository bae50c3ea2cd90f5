import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Machine and runtime of a measurement; a profile is valid for no other. Memory is rounded to GiB, because the reported
 * value varies.
 */
export interface MachineFingerprint {
  readonly cpuModel: string;
  readonly coresAvailable: number;
  readonly memoryGib: number;
  readonly platform: string;
  readonly arch: string;
  readonly nodeVersion: string;
  /** Missing if onnxruntime-node is not installed. */
  readonly onnxruntimeVersion?: string;
}

function packageVersion(name: string, resolvedFrom: string): string | undefined {
  try {
    let folder = dirname(createRequire(resolvedFrom).resolve(name));
    while (folder !== dirname(folder)) {
      const found = versionIn(join(folder, 'package.json'), name);
      if (found !== undefined) return found;
      folder = dirname(folder);
    }
  } catch {
    return undefined;
  }
  return undefined;
}

function versionIn(packageFile: string, name: string): string | undefined {
  try {
    const found = JSON.parse(readFileSync(packageFile, 'utf8')) as { name?: string; version?: string };
    return found.name === name ? found.version : undefined;
  } catch {
    return undefined;
  }
}

/** Packages are resolved from `baseDir`. */
export function machineFingerprint(baseDir: string): MachineFingerprint {
  const onnxruntimeVersion =
    packageVersion('onnxruntime-node', join(baseDir, 'any.js')) ?? packageVersion('onnxruntime-node', import.meta.url);
  return {
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    coresAvailable: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.version,
    ...(onnxruntimeVersion === undefined ? {} : { onnxruntimeVersion }),
  };
}
