/**
 * Names of things, branded so that a stage name cannot be passed where a variant name is meant.
 * An id is the `name` written in the pipeline file; replica ids are made by the actuator.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Name of a stage, unique in its pipeline. */
export type StageId = Branded<'StageId'>;
/** Name of a variant, unique in its stage. */
export type VariantId = Branded<'VariantId'>;
/** Name of one running copy of a variant, never reused while a process lives. */
export type ReplicaId = Branded<'ReplicaId'>;

/** Reads a stage name as an id. */
export const stageId = (name: string): StageId => name as StageId;
/** Reads a variant name as an id. */
export const variantId = (name: string): VariantId => name as VariantId;
/** Reads a replica name as an id. */
export const replicaId = (name: string): ReplicaId => name as ReplicaId;
