"""prefect-dbt's runner, as the flows use it: which of dbt's nodes are tasks, and what each costs."""

from typing import Any

from dbt_common.behavior_flags import BehaviorFlagRendered
from prefect.context import FlowRunContext, get_settings_context
from prefect_dbt import PrefectDbtRunner

# dbt asks Python for the caller of each of its behavior flags, needed or not: through all modules, for each
# frame of the stack. Half a second a run, for a name that only a flag's warning shows.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]


class ModelsAsTasks(PrefectDbtRunner):
    """PrefectDbtRunner that shows models and snapshots as tasks of the flow, and tests only when they fail.

    Each node that is a task costs about 0.2 CPU-seconds; two thirds of the nodes are tests, and a test
    that passes says nothing. Failed ones are named by the DataFailure.
    """

    def invoke(self, args: list[str], **kwargs: Any) -> Any:
        """Run dbt with the settings of the flow's thread; returns dbt's outcome."""
        self._settings_context = dict(get_settings_context())
        flow_run = FlowRunContext.get()
        self._result_store = flow_run.result_store if flow_run else None
        return super().invoke(args, **kwargs)

    def _call_task(
        self, task_state: Any, manifest_node: Any, context: dict[str, Any], enable_assets: bool
    ) -> None:
        # The tasks are threads of this process and share its settings and its store of results. From
        # `context` alone Prefect would read the settings anew from every possible place, twice per task, and
        # import every integration to find the store's class.
        shared = context | {
            "settings_context": self._settings_context,
            "flow_run_context": context["flow_run_context"] | {"result_store": self._result_store},
        }
        super()._call_task(task_state, manifest_node, shared, enable_assets)

    def _get_manifest_node_and_config(self, node_id: str) -> tuple[Any, dict[str, Any]]:
        if node_id.startswith("test."):
            return None, {}
        return super()._get_manifest_node_and_config(node_id)
