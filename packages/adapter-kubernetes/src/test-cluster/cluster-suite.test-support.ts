/** A control plane with the definition of pipelines, the rights of the operator and a fake kubelet, for one suite. */
import { afterAll, beforeAll } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { pipelineDefinition } from '../crd/pipeline-crd.js';
import {
  customResources,
  definitionServed,
  installOperatorRights,
  operatorAccount,
} from './cluster-objects.test-support.js';
import { ControlPlane, serviceAccount } from './control-plane.test-support.js';
import { FakeKubelet } from './fake-kubelet.test-support.js';
import { kubeBinariesFolder } from './kube-binaries.test-support.js';

/** User with the rights of the operator. */
export const operatorUser = serviceAccount(operatorAccount.namespace, operatorAccount.name);
export const human = { fieldManager: 'kubectl' };

/** Construct it in `describe`: it starts before the tests and stops after them. */
export class ClusterSuite {
  #plane: ControlPlane | undefined;
  #admin: KubeApi | undefined;
  #kubelet: FakeKubelet | undefined;

  constructor() {
    beforeAll(() => this.#start(), 300_000);
    afterAll(async () => {
      await this.#kubelet?.stop();
      await this.#plane?.stop();
    }, 60_000);
  }

  get plane(): ControlPlane {
    return started(this.#plane);
  }

  get admin(): KubeApi {
    return started(this.#admin);
  }

  get kubelet(): FakeKubelet {
    return started(this.#kubelet);
  }

  async #start(): Promise<void> {
    this.#plane = await ControlPlane.start(kubeBinariesFolder(), [operatorUser]);
    const admin = await this.#plane.api();
    const definition = pipelineDefinition() as KubeObject & { spec: unknown };
    written(await admin.apply(customResources, definition, human));
    await definitionServed(admin, definition.metadata.name);
    await installOperatorRights(admin);
    this.#admin = admin;
    this.#kubelet = new FakeKubelet(admin);
    await this.#kubelet.start();
  }
}

function started<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the suite has not started');
  return value;
}
