/**
 * A control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this
 * test, in their own folder. Users have fixed tokens, so that the shipped roles of a service account can be tested.
 * `FakeKubelet` replaces the kubelet.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HttpKubeApi } from '../api/http/http-kube-api.js';
import { kubeConnection } from '../api/http/kube-connection.js';
import { ChildProgram, readyWithin } from './child-program.test-support.js';

/** User of the API server, identified by `token`. */
export interface ClusterUser {
  readonly token: string;
  readonly name: string;
  readonly groups: readonly string[];
}

const masters = ['system:masters'];
const ADMIN: ClusterUser = { token: 'admin', name: 'admin', groups: masters };
/** Without service accounts for the controllers, their one user needs all rights. */
const CONTROLLER_MANAGER: ClusterUser = { token: 'kcm', name: 'system:kube-controller-manager', groups: masters };
const SCHEDULER: ClusterUser = { token: 'scheduler', name: 'system:kube-scheduler', groups: [] };

/** The user of the service account `name` in `namespace`. */
export function serviceAccount(namespace: string, name: string): ClusterUser {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  return { token: `sa-${namespace}-${name}`, name: `system:serviceaccount:${namespace}:${name}`, groups };
}

/** No node lifecycle: nodes of a test never count as lost. */
const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'endpointslice-controller',
  'disruption-controller',
  'horizontal-pod-autoscaler-controller',
];
const NO_LIMITS = ['--kube-api-qps=1000', '--kube-api-burst=2000'];
const START_MS = 180_000;

export class ControlPlane {
  readonly #binaries: string;
  readonly #folder: string;
  readonly #ports: { readonly etcd: number; readonly peer: number; readonly api: number; readonly scheduler: number };
  readonly #programs = new Map<string, ChildProgram>();

  private constructor(binaries: string, folder: string, ports: readonly number[]) {
    this.#binaries = binaries;
    this.#folder = folder;
    const [etcd = 0, peer = 0, api = 0, scheduler = 0] = ports;
    this.#ports = { etcd, peer, api, scheduler };
  }

  /** Starts all four programs and resolves when the API server is ready. */
  static async start(binaries: string, users: readonly ClusterUser[] = []): Promise<ControlPlane> {
    const folder = mkdtempSync(path.join(tmpdir(), 'equipoise-kube-'));
    const plane = new ControlPlane(binaries, folder, await freePorts(4));
    plane.#writeFiles([ADMIN, CONTROLLER_MANAGER, SCHEDULER, ...users]);
    try {
      await plane.#startEtcd();
      await plane.startApiServer();
      plane.#startControllers();
    } catch (error) {
      await plane.stop();
      throw error;
    }
    return plane;
  }

  /** Connection of a user to the API server. */
  kubeconfig({ token }: Pick<ClusterUser, 'token'> = ADMIN): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'test',
          cluster: {
            server: `https://127.0.0.1:${this.#ports.api}`,
            'certificate-authority': this.#at('certs/apiserver.crt'),
          },
        },
      ],
      users: [{ name: 'user', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
      'current-context': 'test',
    });
  }

  /** KubeApi of a user, over HTTP. */
  async api(user: Pick<ClusterUser, 'token'> = ADMIN): Promise<HttpKubeApi> {
    const source = { kind: 'text', kubeconfig: this.kubeconfig(user) } as const;
    return new HttpKubeApi(await kubeConnection(source, { nowMs: () => performance.now() }));
  }

  async startApiServer(): Promise<void> {
    const { etcd, api } = this.#ports;
    const key = this.#at('sa.key');
    const program = this.#run('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${api}`,
      '--endpoint-reconciler-type=none',
      `--cert-dir=${this.#at('certs')}`,
      `--token-auth-file=${this.#at('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/24',
      '--allow-privileged=true',
      // No controller creates service accounts or removes the taint of a new node.
      '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      '--enable-priority-and-fairness=false',
      '--max-requests-inflight=0',
      '--max-mutating-requests-inflight=0',
    ]);
    await readyWithin(START_MS, program, async () => (await this.#statusOf('/readyz')) === 200);
  }

  /** Kills the API server; `startApiServer` restarts it on its port. */
  async killApiServer(): Promise<void> {
    await this.#programs.get('kube-apiserver')?.stop('SIGKILL');
  }

  async stop(): Promise<void> {
    // The state of the cluster is not kept, so the programs may end in any order.
    await Promise.all([...this.#programs.values()].map((program) => program.stop('SIGKILL')));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startEtcd(): Promise<void> {
    const [client, peer] = [this.#ports.etcd, this.#ports.peer].map((port) => `http://127.0.0.1:${port}`);
    const program = this.#run('etcd', [
      '--name=test',
      `--data-dir=${this.#at('etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=error',
    ]);
    await readyWithin(START_MS, program, async () => (await fetch(`${client}/health`)).ok);
  }

  #startControllers(): void {
    this.#run('kube-controller-manager', [
      `--kubeconfig=${this.#at('kcm.yaml')}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      '--secure-port=0',
      `--service-account-private-key-file=${this.#at('sa.key')}`,
      '--use-service-account-credentials=false',
      `--controllers=${CONTROLLERS.join()}`,
      ...NO_LIMITS,
    ]);
    this.#run('kube-scheduler', [
      `--kubeconfig=${this.#at('scheduler.yaml')}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${this.#ports.scheduler}`,
      ...NO_LIMITS,
    ]);
  }

  #writeFiles(users: readonly ClusterUser[]): void {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(this.#at('sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const rows = users.map(({ token, name, groups }, index) => `${token},${name},${index + 1},"${groups.join()}"\n`);
    writeFileSync(this.#at('tokens.csv'), rows.join(''));
    // JSON is YAML.
    writeFileSync(this.#at('kcm.yaml'), this.kubeconfig(CONTROLLER_MANAGER));
    writeFileSync(this.#at('scheduler.yaml'), this.kubeconfig(SCHEDULER));
  }

  #run(name: string, parameters: readonly string[]): ChildProgram {
    const program = new ChildProgram(path.join(this.#binaries, name), parameters, this.#at(`${name}.log`));
    this.#programs.set(name, program);
    return program;
  }

  #at(file: string): string {
    return path.join(this.#folder, file);
  }

  /** HTTP status of a path of the API server, whose certificate is self-signed. */
  #statusOf(urlPath: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${ADMIN.token}` };
      const options = { host: '127.0.0.1', port: this.#ports.api, path: urlPath, headers, rejectUnauthorized: false };
      const request = get({ ...options, agent: false, timeout: 5_000 }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
    });
  }
}

const FIRST_PORT = 20_000;
const PORTS_PER_WORKER = 1000;
let nextPort = FIRST_PORT + PORTS_PER_WORKER * (Number(process.env['VITEST_POOL_ID'] ?? 0) % 10);

/**
 * Ports that are free, below those that the system gives to connections: nothing takes them before the programs listen.
 * Each worker of a run has its own range.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = nextPort++;
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
