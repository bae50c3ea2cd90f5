/** Helm and kubectl, as commands. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasHelm, helmProgram, type Tool } from '@equipoise/testkit';
import { controlPlane, kubeBinariesFolder } from './kube-binaries.test-support.js';

/** Folder in `deploy`. */
export const deployFolder = (name: string): string =>
  fileURLToPath(new URL(`../../../../deploy/${name}`, import.meta.url));

export const CHART = deployFolder('helm/equipoise');

/** Helm, and a control plane to install on. */
export const helmTool: Tool = {
  name: 'helm',
  missing: 'not built: npm run helm:build, npm run kube:build',
  isPresent: () => hasHelm() && controlPlane.isPresent(),
};

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function ended(program: string, args: readonly string[], input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
    child.stdin.on('error', () => undefined).end(input);
  });
}

export const helm = (...args: readonly string[]): Promise<Ended> => ended(helmProgram(), args, '');

export const kubectl = (args: readonly string[], input = ''): Promise<Ended> =>
  ended(path.join(kubeBinariesFolder(), 'kubectl'), args, input);

/** Output of a command that must succeed. */
export async function outputOf(running: Promise<Ended>): Promise<string> {
  const { exitCode, stdout, stderr } = await running;
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}${stdout}`);
  return stdout;
}
