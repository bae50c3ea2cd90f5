/** Conformance suite of KubeApi, for a real API server and the one in memory. */
import { describe } from 'vitest';
import { describeApply } from './apply-conformance.test-support.js';
import { describeObjects } from './objects-conformance.test-support.js';
import type { MakeSubject } from './subject.test-support.js';
import { describeWatches } from './watch-conformance.test-support.js';

/** Defines the suite. The server must serve `probes` and the built-in resources. */
export function describeKubeApiConformance(name: string, make: MakeSubject): void {
  describe(`${name} as a KubeApi`, () => {
    describeObjects(make);
    describeApply(make);
    describeWatches(make);
  });
}
