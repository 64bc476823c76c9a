"""The wire's words for the account. A self-hosted server has no billing; those fields say so."""

from typing import Literal

from loopyard.kit.http.wire import View

AccountStatus = Literal[
    "ACCOUNT_STATUS_INVALID",
    "ACCOUNT_STATUS_ONBOARDING",
    "ACCOUNT_STATUS_ENABLED",
    "ACCOUNT_STATUS_DISABLED_BY_ADMIN",
    "ACCOUNT_STATUS_DISABLED_QUOTA_REACHED",
    "ACCOUNT_STATUS_TRIAL_CANCELLED",
    "ACCOUNT_STATUS_STRIPE_PENDING_RESOURCES",
    "UNRECOGNIZED",
]
Tier = Literal[
    "ACCOUNT_TIER_INVALID",
    "ACCOUNT_TIER_BASIC",
    "ACCOUNT_TIER_PRO",
    "ACCOUNT_TIER_ENTERPRISE",
    "ACCOUNT_TIER_TRIAL",
    "UNRECOGNIZED",
]
BillingType = Literal["STRIPE", "AWS_MARKETPLACE", "STRIPE_PROJECTS", "UNRECOGNIZED"]


class BillingAws(View):
    customer_identifier: str | None = None
    license_arn: str | None = None
    subscription_status: str | None = None


class BillingStripe(View):
    active_subscription: str | None = None
    customer_id: str | None = None


class Billing(View):
    account_billing_type: BillingType
    aws: BillingAws | None = None
    stripe: BillingStripe | None = None
    stripe_customer_id: str | None = None


class AccountView(View):
    id: str
    account_status: AccountStatus
    billing: Billing
    created_at: str
    name: str
    tier: Tier
    account_billing_type: BillingType | None = None
    active_subscription: str | None = None
    external_billing_account_id: str | None = None
    stripe_customer_id: str | None = None
