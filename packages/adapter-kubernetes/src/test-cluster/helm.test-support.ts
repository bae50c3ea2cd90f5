/** Helm and kubectl, as commands. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EndedProgram, hasHelm, helmProgram, runToEnd, type Tool } from '@equipoise/testkit';
import { controlPlane, kubeBinariesFolder } from './kube-binaries.test-support.js';

/** Folder in `deploy`. */
export const deployFolder = (name: string): string =>
  fileURLToPath(new URL(`../../../../deploy/${name}`, import.meta.url));

export const CHART = deployFolder('helm/equipoise');

const kubectlProgram = (): string => path.join(kubeBinariesFolder(), 'kubectl');

/** Helm and kubectl, and a control plane to install on. */
export const helmTool: Tool = {
  name: 'helm',
  missing: 'not built: npm run helm:build, npm run kube:build',
  isPresent: () => hasHelm() && controlPlane.isPresent() && existsSync(kubectlProgram()),
};

export const helm = (...args: readonly string[]): Promise<EndedProgram> => runToEnd(helmProgram(), args);

export const kubectl = (args: readonly string[], input?: string): Promise<EndedProgram> =>
  runToEnd(kubectlProgram(), args, input);
