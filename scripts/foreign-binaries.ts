/** Libraries of other systems in onnxruntime-node, which has those of all systems in one package. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

interface Machine {
  readonly platform: string;
  readonly arch: string;
}

/** Folders `PLATFORM/ARCH` below `folder` for other machines; none if there is none for this one. */
function foreignFolders(folder: string, { platform, arch }: Machine): readonly string[] {
  if (!existsSync(join(folder, platform, arch))) return [];
  const others = (within: string, own: string) => readdirSync(within).filter((name) => name !== own);
  return [
    ...others(folder, platform).map((name) => join(folder, name)),
    ...others(join(folder, platform), arch).map((name) => join(folder, platform, name)),
  ];
}

export function dropForeignBinaries(modules: string, machine: Machine): void {
  const programs = join(modules, 'onnxruntime-node', 'bin');
  if (!existsSync(programs)) return;
  for (const version of readdirSync(programs))
    for (const folder of foreignFolders(join(programs, version), machine)) rmSync(folder, { recursive: true });
}
