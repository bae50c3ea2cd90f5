/**
 * A control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this
 * test, in their own folder. Users have fixed tokens, so that the shipped roles of a service account can be tested.
 * `FakeKubelet` replaces the kubelet.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HttpKubeApi } from '../api/http/http-kube-api.js';
import { kubeConnection } from '../api/http/kube-connection.js';
import type { RequestLimits } from '../api/http/kube-requests.js';
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

/**
 * Loopback address of this process. Suites run at the same time in processes of their own, so no other suite takes a
 * port before its program listens, or while a test has stopped the program. Process ids have at most 22 bits.
 */
const ADDRESS = `127.${128 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
const FIRST_PORT = 20_000;
const PORTS = 4;
/** Control planes that this process has started. */
let planes = 0;

export class ControlPlane {
  readonly #binaries: string;
  readonly #folder: string;
  readonly #ports: { readonly etcd: number; readonly peer: number; readonly api: number; readonly scheduler: number };
  readonly #programs = new Map<string, ChildProgram>();

  private constructor(binaries: string, folder: string) {
    this.#binaries = binaries;
    this.#folder = folder;
    const first = FIRST_PORT + PORTS * planes++;
    this.#ports = { etcd: first, peer: first + 1, api: first + 2, scheduler: first + 3 };
  }

  /**
   * Starts all four programs and resolves when the API server is ready. Without `controllers`, something else must set
   * the status of workloads.
   */
  static async start(
    binaries: string,
    users: readonly ClusterUser[] = [],
    { controllers = true } = {},
  ): Promise<ControlPlane> {
    const folder = mkdtempSync(path.join(tmpdir(), 'equipoise-kube-'));
    const plane = new ControlPlane(binaries, folder);
    plane.#writeFiles([ADMIN, CONTROLLER_MANAGER, SCHEDULER, ...users]);
    try {
      await plane.#startEtcd();
      await plane.startApiServer();
      if (controllers) plane.#startControllers();
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
            server: `https://${ADDRESS}:${this.#ports.api}`,
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
  async api(user: Pick<ClusterUser, 'token'> = ADMIN, limits?: RequestLimits): Promise<HttpKubeApi> {
    const source = { kind: 'text', kubeconfig: this.kubeconfig(user) } as const;
    return new HttpKubeApi(await kubeConnection(source, { nowMs: () => performance.now() }), limits);
  }

  async startApiServer(): Promise<void> {
    const { etcd, api } = this.#ports;
    const key = this.#at('sa.key');
    const program = this.#run('kube-apiserver', [
      `--etcd-servers=http://${ADDRESS}:${etcd}`,
      `--bind-address=${ADDRESS}`,
      `--advertise-address=${ADDRESS}`,
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
    const [client, peer] = [this.#ports.etcd, this.#ports.peer].map((port) => `http://${ADDRESS}:${port}`);
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
      `--bind-address=${ADDRESS}`,
      '--secure-port=0',
      `--service-account-private-key-file=${this.#at('sa.key')}`,
      '--use-service-account-credentials=false',
      `--controllers=${CONTROLLERS.join()}`,
      ...NO_LIMITS,
    ]);
    this.#run('kube-scheduler', [
      `--kubeconfig=${this.#at('scheduler.yaml')}`,
      '--leader-elect=false',
      `--bind-address=${ADDRESS}`,
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
      const options = { host: ADDRESS, port: this.#ports.api, path: urlPath, headers, rejectUnauthorized: false };
      const request = get({ ...options, agent: false, timeout: 5_000 }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
    });
  }
}
