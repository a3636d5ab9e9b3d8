export { Session, SessionError } from "./session.js";
export type { Array1D, Arrays, Click, SessionSettings, Size, State, Step } from "./session.js";
export { boundingBox, GivenMask } from "./given-mask.js";
export { clickLog } from "./click-log.js";
export { fitPhoto, positions, toFitted } from "./fit-photo.js";
export { difference, passed, readTraces, replay } from "./golden.js";
export type { ReadFile, ReplayReport, Trace, TraceDocument } from "./golden.js";
