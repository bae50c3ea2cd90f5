/** Entry of the package. The export `replica-thread` is only for its launcher. */

export { AddressFollower, type FollowedStage } from './actuator/address-follower.js';
export { EmbeddedActuator, type EmbeddedActuatorOptions } from './actuator/embedded-actuator.js';
export { preciseClock } from './alarm-clock.js';
export { type Launchers, launcherFor } from './launcher-for.js';
export { ProcessReplicaLauncher } from './process/process-replica-launcher.js';
export { PythonReplicaLauncher } from './process/python-replica-launcher.js';
export type { LaunchLimits } from './replica/start-replica-runner.js';
export { exportedFunctions, importModule } from './stage-module/import-module.js';
export {
  type ServiceTime,
  SyntheticReplicaLauncher,
  type SyntheticReplicaOptions,
} from './synthetic-replica-launcher.js';
export { ThreadReplicaLauncher } from './thread/thread-replica-launcher.js';
