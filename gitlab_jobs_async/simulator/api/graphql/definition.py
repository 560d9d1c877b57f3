"""The part of GitLab's GraphQL schema that a client of pipelines and jobs needs.

Follows app/graphql/types and https://docs.gitlab.com/api/graphql/reference/. Values only.
"""

from collections.abc import Iterable
from typing import Final

_TYPES: Final = """
scalar Time
scalar Duration
scalar JobID
scalar CiBuildNeedID
scalar CiStageID
scalar UserID

type Query {
  currentUser: CurrentUser
  metadata: Metadata
  project(fullPath: ID!): Project
  projects(
    after: String, before: String, first: Int, last: Int,
    ids: [ID!], fullPaths: [String!], membership: Boolean, search: String
  ): ProjectConnection
  queryComplexity: QueryComplexity
}

type CurrentUser { id: UserID!, username: String!, name: String!, webPath: String! }
type UserCore { id: UserID!, username: String!, name: String!, webPath: String! }
type Metadata { version: String!, revision: String!, enterprise: Boolean! }
type QueryComplexity { limit: Int, score: Int }

type PageInfo {
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}

type Project {
  id: ID!
  fullPath: ID!
  path: String!
  name: String!
  nameWithNamespace: String!
  visibility: String
  webUrl: String
  archived: Boolean
  createdAt: Time
  jobsEnabled: Boolean
  publicJobs: Boolean
  pipelines(
    after: String, before: String, first: Int, last: Int,
    status: PipelineStatusEnum, scope: PipelineScopeEnum, ref: String, sha: String,
    source: String, updatedAfter: Time, updatedBefore: Time, username: String
  ): PipelineConnection
  pipeline(iid: ID, id: CiPipelineID, sha: String): Pipeline
  jobs(
    after: String, before: String, first: Int, last: Int,
    statuses: [CiJobStatus!], withArtifacts: Boolean, kind: CiJobKind
  ): CiJobConnection
}

scalar CiPipelineID

interface PipelineInterface {
  id: ID
  iid: String
  path: String
  project: Project
  user: UserCore
}

type Pipeline implements PipelineInterface {
  id: ID!
  iid: String!
  name: String
  path: String
  sha(format: ShaFormat): String
  ref: String
  status: PipelineStatusEnum!
  source: String
  child: Boolean!
  active: Boolean!
  complete: Boolean!
  createdAt: Time!
  updatedAt: Time!
  startedAt: Time
  finishedAt: Time
  duration: Int
  queuedDuration: Duration
  totalJobs: Int!
  yamlErrors: Boolean!
  yamlErrorMessages: String
  user: UserCore
  project: Project
  upstream: Pipeline
  downstream(after: String, before: String, first: Int, last: Int): PipelineConnection
  sourceJob: CiJob
  jobs(
    after: String, before: String, first: Int, last: Int,
    statuses: [CiJobStatus!], retried: Boolean, jobKind: CiJobKind, whenExecuted: [String!]
  ): CiJobConnection
}

type CiBuildNeed { id: CiBuildNeedID!, name: String }
type CiStage { id: CiStageID!, name: String }

type CiJob {
  id: JobID
  name: String
  kind: CiJobKind!
  status: CiJobStatus
  stage: CiStage
  pipeline: PipelineInterface
  project: Project
  downstreamPipeline: Pipeline
  active: Boolean!
  allowFailure: Boolean!
  retried: Boolean
  manualJob: Boolean
  scheduled: Boolean!
  schedulingType: String
  needs(after: String, before: String, first: Int, last: Int): CiBuildNeedConnection
  triggered: Boolean
  createdByTag: Boolean!
  createdAt: Time!
  queuedAt: Time
  scheduledAt: Time
  startedAt: Time
  finishedAt: Time
  erasedAt: Time
  duration: Int
  queuedDuration: Duration
  coverage: Float
  failureMessage: String
  exitCode: Int
  refName: String
  shortSha: String!
  source: String
  tags: [String!]
  webPath: String
}

enum ShaFormat { SHORT LONG }
enum CiJobKind { BUILD BRIDGE }
enum PipelineScopeEnum { RUNNING PENDING FINISHED BRANCHES TAGS }
"""
_CONNECTION: Final = """
type {name}Connection {{
  count{arguments}: Int!
  edges: [{name}Edge]
  nodes: [{name}]
  pageInfo: PageInfo!
}}
type {name}Edge {{ cursor: String!, node: {name} }}
"""


SINCE: Final = {
    "Pipeline.jobs.jobKind": (16, 0),
    "Pipeline.jobs.whenExecuted": (15, 8),
    "Project.jobs.kind": (18, 3),
    "Query.projects.fullPaths": (16, 6),
}
"""The first release with each argument, by the month of its merge request."""


def definition(statuses: Iterable[str]) -> str:
    """Return the schema in GraphQL's language, with these statuses of pipelines and jobs."""
    names = " ".join(status.upper() for status in statuses)
    enums = f"enum PipelineStatusEnum {{ {names} }}\nenum CiJobStatus {{ {names} }}\n"
    connections = "".join(
        _CONNECTION.format(name=name, arguments=arguments)
        for name, arguments in (
            ("Project", ""),
            ("Pipeline", ""),
            ("CiJob", "(limit: Int = 1000)"),
            ("CiBuildNeed", ""),
        )
    )
    return _TYPES + enums + connections
