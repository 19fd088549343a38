/** Sends as trace records, for whoever follows the trace at the moment. */
import { replicationTrace, type TraceSink } from "../observe/trace.ts";
import type { Clock } from "../runtime/clock.ts";
import type { SendObserver } from "./send-types.ts";
import type { SendOutcome } from "./wire.ts";

const fault = (outcome: SendOutcome): string | undefined =>
  outcome.kind === "retry" || outcome.kind === "refused" ? `${outcome.code}: ${outcome.reason}` : undefined;

export function tracingObserver(trace: TraceSink, clock: Clock, nodeName: string): SendObserver {
  return {
    begin: () => (trace.active ? clock.nowMs() : undefined),
    end(startMs, arn, request, outcome) {
      const { bucket, key, versionId } = request;
      trace.publish(
        replicationTrace({
          nodeName,
          name: request.marks.resyncId === undefined ? "Send" : "Resync",
          bucket,
          key,
          versionId,
          arn,
          outcome: outcome.kind,
          bytes: outcome.kind === "sent" ? outcome.bytes : 0,
          startMs,
          durationMs: clock.nowMs() - startMs,
          error: fault(outcome),
        }),
      );
    },
  };
}
