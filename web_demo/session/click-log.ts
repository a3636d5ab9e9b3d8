/** The clicks of a session as JSON, as `ritm-edge predict --clicks` reads them. */

import type { Click, Size } from "./session.js";

/** What is fixed in an artifact's session graphs, from its metadata entry `session`. */
export interface GraphFacts {
  readonly fit: string;
  readonly threshold: number;
  readonly expansion: number;
  readonly min_crop: number;
  readonly recompute_iou: number;
}

/**
 * @param sha256 of the artifact's file.
 * @param size of the photo.
 * @param clicks in pixels of that photo.
 * @param maskSha256 of the start mask's float32 values, or null.
 */
export function clickLog(
  sha256: string,
  size: Size,
  clicks: readonly Click[],
  facts: GraphFacts,
  options: { readonly flip: boolean; readonly maskSha256: string | null },
): Record<string, unknown> {
  return {
    kind: "ritm-edge clicks",
    format_version: 1,
    artifact_sha256: sha256,
    height: size[0],
    width: size[1],
    mask_sha256: options.maskSha256,
    settings: {
      protocol: "graphs",
      zoom_in: {
        target_size: 400, // without effect on a graph of fixed size
        skip_clicks: 1,
        expansion: facts.expansion,
        min_crop: facts.min_crop,
        recompute_iou: facts.recompute_iou,
        threshold: 0.5,
      },
      flip: options.flip,
      fit: facts.fit,
      threshold: facts.threshold,
      max_side: null,
      click_limit: null,
    },
    clicks: clicks.map(({ row, column, positive }) => ({ row, column, positive })),
  };
}
