/** Istio's control plane (`pilot-discovery`), found by `EQUIPOISE_ISTIOD`, with the definitions of its resources. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Tool } from '@equipoise/testkit';
import { parseAllDocuments } from 'yaml';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { ChildProgram, readyWithin } from './child-program.test-support.js';
import { customResources, definitionServed, namespaces } from './cluster-objects.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';

const program = process.env['EQUIPOISE_ISTIOD'] ?? '';
const definitionsFolder = path.join(process.env['EQUIPOISE_REFERENCE_DIR'] ?? '', 'crds');

export const istiod: Tool = {
  name: 'istiod',
  missing:
    'set EQUIPOISE_ISTIOD to pilot-discovery and EQUIPOISE_REFERENCE_DIR to a folder with crds; npm run kube:build',
  isPresent: () => existsSync(program) && existsSync(definitionsFolder) && controlPlane.isPresent(),
};

const READY_MS = 120_000;
const GROUPS = /\.(istio\.io|gateway\.networking\.k8s\.io)$/;

const NAMESPACE = 'istio-system';

/** Definitions of Istio and of the Gateway API, and the namespace of the control plane. */
export async function defineMesh(api: KubeApi): Promise<void> {
  const files = readdirSync(definitionsFolder).filter((file) => /^(istio|gateway).*\.yaml\.gz$/.test(file));
  const definitions = files.flatMap((file) =>
    parseAllDocuments(gunzipSync(readFileSync(path.join(definitionsFolder, file))).toString('utf8')).flatMap(
      (document) => (document.contents === null ? [] : [document.toJS() as KubeObject]),
    ),
  );
  for (const definition of definitions.filter(({ metadata }) => GROUPS.test(metadata.name))) {
    written(await api.apply(customResources, definition as never, { fieldManager: 'test', force: true }));
    await definitionServed(api, definition.metadata.name);
  }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  written(await api.create(namespaces, namespace, { fieldManager: 'test' }));
}

export class Istiod {
  /** Address of its discovery protocol. */
  readonly url: string;
  readonly #program: ChildProgram;
  readonly #folder: string;

  private constructor(url: string, child: ChildProgram, folder: string) {
    this.url = url;
    this.#program = child;
    this.#folder = folder;
  }

  static async start(kubeconfig: string): Promise<Istiod> {
    const folder = mkdtempSync(path.join(tmpdir(), 'equipoise-istiod-'));
    const at = (name: string): string => path.join(folder, name);
    writeFileSync(at('kubeconfig'), kubeconfig, { mode: 0o600 });
    writeFileSync(at('mesh'), `rootNamespace: ${NAMESPACE}\n`);
    const [http, grpc, monitoring] = await freePorts(3);
    const addresses = { httpAddr: http, grpcAddr: grpc, monitoringAddr: monitoring };
    const flags = Object.entries(addresses).map(([flag, port]) => `--${flag}=127.0.0.1:${port}`);
    const files = [`--kubeconfig=${at('kubeconfig')}`, `--meshConfig=${at('mesh')}`];
    const off = ['--secureGRPCAddr=', '--httpsAddr=', '--ctrlz_port=0'];
    const env = { ...process.env, POD_NAMESPACE: NAMESPACE, PILOT_ENABLE_ANALYSIS: 'false' };
    const child = new ChildProgram(program, ['discovery', ...files, ...flags, ...off], at('log'), { cwd: folder, env });
    const isReady = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${http}/ready`)).ok;
    await readyWithin(READY_MS, child, isReady);
    return new Istiod(`http://127.0.0.1:${grpc}`, child, folder);
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Free ports of this machine, held at the same time so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
