/**
 * Field trees of `managedFields`. They are more than half of an object's memory, and objects of the same kind and form,
 * of any pipeline, have equal ones. So each tree is kept once.
 */
import type { FieldTree, KubeObject } from '../api/kube-object.js';

/** Further trees are not shared with earlier ones. */
const MOST_TREES = 4_096;

export class FieldTrees {
  /** By their JSON. */
  #trees = new Map<string, FieldTree>();

  /** The same object; trees that are equal to those of earlier objects are theirs. */
  shared<T extends KubeObject>(object: T): T {
    const { managedFields } = object.metadata;
    if (managedFields === undefined) return object;
    const entries = managedFields.map((entry) =>
      entry.fieldsV1 === undefined ? entry : { ...entry, fieldsV1: this.#only(entry.fieldsV1) },
    );
    return { ...object, metadata: { ...object.metadata, managedFields: entries } };
  }

  #only(tree: FieldTree): FieldTree {
    const text = JSON.stringify(tree);
    const known = this.#trees.get(text);
    if (known !== undefined) return known;
    if (this.#trees.size >= MOST_TREES) this.#trees = new Map();
    this.#trees.set(text, tree);
    return tree;
  }
}
