/** `equipoise operator` on a real control plane, for the suites of the command. The routers only count requests. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import { deployments, isRouter, pipelines, pods } from '../cluster/observed-objects.js';
import { eventually, namespaceOfOperator, operatorAccount } from './cluster-objects.test-support.js';
import { ClusterSuite, human, operatorUser } from './cluster-suite.test-support.js';
import { shelf } from './memory/pipeline-fixture.test-support.js';
import { OperatorCommand } from './operator-command.test-support.js';
import { StandInRouters } from './stand-in-routers.test-support.js';

/** Operators as processes on the control plane of a suite. */
export class OperatorSuite extends ClusterSuite {
  readonly routers = new StandInRouters();
  readonly #started: OperatorCommand[] = [];

  constructor() {
    super();
    const { routers } = this;
    beforeAll(() => {
      this.kubelet.fateOf = () => ({ kind: 'hosted', host: routers });
    });
    afterEach(async () => {
      Object.assign(routers, { rps: 0, lateFraction: 0, serviceMs: {}, showsMetrics: true });
      await Promise.all(this.#started.splice(0).map((command) => command.remove()));
    });
    afterAll(() => routers.close());
  }

  /** Starts an operator, which is removed after the test. */
  run(namespace: string, ...more: readonly string[]): OperatorCommand {
    const flags = ['--namespace', namespace, '--lease-namespace', operatorAccount.namespace, ...more];
    const command = new OperatorCommand(this.plane.kubeconfig(operatorUser), ...flags);
    this.#started.push(command);
    return command;
  }

  /** Pipeline in its own namespace, with helpers to read it. */
  async pipeline(over: Parameters<typeof shelf>[0] = {}, arrivalRps = '20') {
    const { admin } = this;
    const namespace = await namespaceOfOperator(admin);
    const { metadata, ...rest } = shelf({ ...over, namespace });
    const annotations = { 'equipoise.dev/arrival-rps': arrivalRps, 'equipoise.dev/images': 'shelf:7 detect=detect:2' };
    const object = { ...rest, metadata: { name: metadata.name, namespace, annotations } };
    written(await admin.create(pipelines, object, human));
    const status = async () => (await admin.get({ type: pipelines, namespace, name: 'shelf' }))?.status;
    const condition = async (type: string) => (await status())?.conditions?.find((each) => each.type === type);
    const settled = () => eventually(async () => (await condition('Ready'))?.status === 'True');
    const listed = async () => {
      const page = await admin.list({ type: deployments, namespace });
      return page.kind === 'page' ? page.objects : [];
    };
    const cores = async () => (await status())?.plan?.predicted.cpuCores ?? 0;
    const routerPods = async () => {
      const page = await admin.list({ type: pods, namespace });
      return page.kind === 'page' ? page.objects.filter(isRouter).map(({ metadata: { name } }) => name) : [];
    };
    return { namespace, status, condition, settled, listed, cores, routerPods };
  }
}
