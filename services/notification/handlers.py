"""The Kafka door: which use case takes which event."""

from contracts.cohort_selection import (
    ApplicationDecided,
    ApplicationRefused,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    CallAmended,
    CallPhaseChanged,
    CallPublished,
    DecisionPublished,
    ParticipationAccepted,
    ParticipationCompleted,
    ParticipationDeclined,
    ParticipationFact,
    ParticipationOffered,
    ParticipationReplaced,
    ParticipationWithdrawn,
    PlaceGranted,
    PlaceReleased,
)
from contracts.envelope import Envelope
from contracts.events_calendar import (
    BookingAttended,
    BookingCancelled,
    BookingConfirmed,
    BookingFact,
    BookingHeld,
    BookingMissed,
    BookingOffered,
    BookingReassigned,
    BookingWaitlisted,
    GuestRecorded,
    SessionCancelled,
    SessionChanged,
    SessionScheduled,
)
from contracts.registration import (
    AccountOpened,
    CityMerged,
    CityProfileChanged,
    CityPublished,
    CityRegistered,
    GrantGiven,
    GrantRevoked,
    GuestLinked,
    LinkIssued,
    MailboxRecorded,
    MembershipApproved,
    MembershipEnded,
    MembershipInvited,
    MembershipRefused,
    MembershipRequested,
    MembershipSuspended,
    OnboardingStepCompleted,
    PersonErased,
    PersonMerged,
    PersonRecorded,
    TaskClosed,
    TaskOpened,
)
from services.notification.usecases import cities, contacts, links, participations, selection, sessions
from shared.inbox import Inbox
from shared.store import Transaction

inbox = Inbox("notification")

BOOKING_FACTS = (
    BookingHeld,
    BookingConfirmed,
    BookingWaitlisted,
    BookingOffered,
    BookingCancelled,
    BookingAttended,
    BookingMissed,
)
PARTICIPATION_FACTS = (
    ParticipationOffered,
    ParticipationAccepted,
    ParticipationDeclined,
    ParticipationWithdrawn,
    ParticipationReplaced,
    ParticipationCompleted,
)


@inbox.projects(PersonRecorded, GuestRecorded)
async def on_contact(tx: Transaction, event: PersonRecorded | GuestRecorded, _: Envelope) -> None:
    """A person or guest is reached in this way."""
    contacts.record_contact(tx, event)


@inbox.projects(MailboxRecorded)
async def on_mailbox(tx: Transaction, event: MailboxRecorded, _: Envelope) -> None:
    """A city's people share this mailbox."""
    contacts.record_mailbox(tx, event)


@inbox.projects_tombstone(PersonRecorded, GuestRecorded, MailboxRecorded)
async def keep_contact_erased(tx: Transaction, _: None, envelope: Envelope) -> None:
    """How somebody, or a city, was reached is to be forgotten."""
    contacts.forget_contact(tx, envelope.attributes.subject)


@inbox.on_tombstone(PersonRecorded, GuestRecorded, MailboxRecorded)
async def on_contact_erased(tx: Transaction, _: None, envelope: Envelope) -> None:
    """Nothing is mailed there any more."""
    await contacts.forget_links(tx, envelope.attributes.subject)


@inbox.on(AccountOpened)
async def on_account(tx: Transaction, event: AccountOpened, envelope: Envelope) -> None:
    """Somebody has an account."""
    await contacts.welcome(tx, event, envelope)


@inbox.projects(GuestLinked)
async def on_guest_linked(tx: Transaction, event: GuestLinked, _: Envelope) -> None:
    """A guest turned out to be a person."""
    await contacts.link_guest(tx, event)


@inbox.projects(PersonMerged)
async def on_person_merged(tx: Transaction, event: PersonMerged, _: Envelope) -> None:
    """A person turned out to be another one."""
    await contacts.merge_person(tx, event)


@inbox.projects(PersonErased)
async def keep_person_erased(tx: Transaction, event: PersonErased, _: Envelope) -> None:
    """How a person was reached is to be forgotten."""
    await contacts.forget_person(tx, event)


@inbox.on(PersonErased)
async def on_person_erased(tx: Transaction, event: PersonErased, _: Envelope) -> None:
    """A person's data is erased."""
    await contacts.empty_inbox(tx, event)


@inbox.on(LinkIssued)
async def on_link(tx: Transaction, event: LinkIssued, envelope: Envelope) -> None:
    """A one-time link is to be mailed."""
    await links.mail_link(tx, event, envelope)


@inbox.projects(CityRegistered, CityProfileChanged)
async def on_city(tx: Transaction, event: CityRegistered | CityProfileChanged, _: Envelope) -> None:
    """A city is called so."""
    cities.record_city(tx, event)


@inbox.projects(CityPublished)
async def on_city_published(tx: Transaction, event: CityPublished, _: Envelope) -> None:
    """A city is public."""
    cities.publish_city(tx, event)


@inbox.projects(CityMerged)
async def on_city_merged(tx: Transaction, event: CityMerged, _: Envelope) -> None:
    """A city turned out to be another one."""
    await cities.merge_city(tx, event)


@inbox.on(CityMerged)
async def on_people_joined(tx: Transaction, event: CityMerged, _: Envelope) -> None:
    """The people of both cities are those of one."""
    await cities.join_people(tx, event)


@inbox.on(OnboardingStepCompleted)
async def on_step(tx: Transaction, event: OnboardingStepCompleted, envelope: Envelope) -> None:
    """A city completed a step of its onboarding."""
    await cities.complete_step(tx, event, envelope)


@inbox.on(MembershipInvited)
async def on_invitation(tx: Transaction, event: MembershipInvited, envelope: Envelope) -> None:
    """Somebody is invited to speak for a city."""
    await cities.invite(tx, event, envelope)


@inbox.projects(MembershipInvited)
async def keep_invitation(tx: Transaction, event: MembershipInvited, envelope: Envelope) -> None:
    """Who is invited."""
    cities.keep_invitation(tx, event, envelope)


@inbox.on(MembershipRequested, MembershipApproved, MembershipRefused, MembershipSuspended, MembershipEnded)
async def on_membership(tx: Transaction, event: cities.MembershipChange, envelope: Envelope) -> None:
    """Somebody's membership of a city is another than before."""
    await cities.change_membership(tx, event, envelope)


@inbox.projects(MembershipRequested, MembershipApproved, MembershipRefused, MembershipSuspended, MembershipEnded)
async def keep_membership(tx: Transaction, event: cities.MembershipChange, envelope: Envelope) -> None:
    """Who belongs to which city."""
    cities.keep_membership(tx, event, envelope)


@inbox.on(GrantGiven)
async def on_grant(tx: Transaction, event: GrantGiven, envelope: Envelope) -> None:
    """Somebody holds a role."""
    await cities.give_grant(tx, event, envelope)


@inbox.projects(GrantGiven)
async def keep_grant(tx: Transaction, event: GrantGiven, _: Envelope) -> None:
    """Who holds which role."""
    cities.keep_grant(tx, event)


@inbox.on(GrantRevoked)
async def on_grant_revoked(tx: Transaction, event: GrantRevoked, envelope: Envelope) -> None:
    """Somebody holds a role no longer."""
    await cities.revoke_grant(tx, event, envelope)


@inbox.projects(GrantRevoked)
async def keep_grant_revoked(tx: Transaction, event: GrantRevoked, _: Envelope) -> None:
    """Who holds a role no longer."""
    cities.end_grant(tx, event)


@inbox.on(TaskOpened)
async def on_task(tx: Transaction, event: TaskOpened, envelope: Envelope) -> None:
    """A city has something to do."""
    await cities.open_task(tx, event, envelope)


@inbox.on(TaskClosed)
async def on_task_closed(tx: Transaction, event: TaskClosed, _: Envelope) -> None:
    """A city has it done, or need not do it any more."""
    await cities.close_task(tx, event)


@inbox.projects(SessionScheduled)
async def on_session(tx: Transaction, event: SessionScheduled, _: Envelope) -> None:
    """A session can be booked."""
    sessions.schedule_session(tx, event)


@inbox.on(SessionChanged)
async def on_session_changed(tx: Transaction, event: SessionChanged, envelope: Envelope) -> None:
    """A session is another than before."""
    await sessions.change_session(tx, event, envelope)


@inbox.projects(SessionChanged)
async def keep_session(tx: Transaction, event: SessionChanged, _: Envelope) -> None:
    """What a session is like."""
    sessions.keep_session(tx, event)


@inbox.on(SessionCancelled)
async def on_session_cancelled(tx: Transaction, event: SessionCancelled, envelope: Envelope) -> None:
    """A session will not take place."""
    await sessions.cancel_session(tx, event, envelope)


@inbox.projects(SessionCancelled)
async def keep_session_cancelled(tx: Transaction, event: SessionCancelled, _: Envelope) -> None:
    """Which sessions will not take place."""
    sessions.end_session(tx, event)


@inbox.on(*BOOKING_FACTS)
async def on_booking(tx: Transaction, event: BookingFact, envelope: Envelope) -> None:
    """A booking is another than before."""
    await sessions.book(tx, event, envelope)


@inbox.projects(*BOOKING_FACTS)
async def keep_booking(tx: Transaction, event: BookingFact, _: Envelope) -> None:
    """Who booked what."""
    sessions.keep_booking(tx, event)


@inbox.on(BookingReassigned)
async def on_booking_reassigned(tx: Transaction, event: BookingReassigned, envelope: Envelope) -> None:
    """A booking is another holder's."""
    await sessions.reassign_booking(tx, event, envelope)


@inbox.projects(BookingReassigned)
async def keep_booking_reassigned(tx: Transaction, event: BookingReassigned, _: Envelope) -> None:
    """Whose a booking is."""
    sessions.keep_holder(tx, event)


@inbox.projects(CallPublished)
async def keep_call(tx: Transaction, event: CallPublished, _: Envelope) -> None:
    """What a call is like."""
    selection.keep_call(tx, event)


@inbox.on(CallPublished)
async def on_call(tx: Transaction, event: CallPublished, envelope: Envelope) -> None:
    """A call is public."""
    await selection.publish_call(tx, event, envelope)


@inbox.projects(CallAmended)
async def keep_call_amended(tx: Transaction, event: CallAmended, _: Envelope) -> None:
    """What a call is like from now on."""
    selection.keep_amendment(tx, event)


@inbox.on(CallAmended)
async def on_call_amended(tx: Transaction, event: CallAmended, envelope: Envelope) -> None:
    """A call's rules are others than before."""
    await selection.amend_call(tx, event, envelope)


@inbox.on(CallPhaseChanged)
async def on_call_phase(tx: Transaction, event: CallPhaseChanged, envelope: Envelope) -> None:
    """A call went on to another phase."""
    await selection.change_phase(tx, event, envelope)


@inbox.projects(CallPhaseChanged)
async def keep_call_phase(tx: Transaction, event: CallPhaseChanged, _: Envelope) -> None:
    """Which calls will not be decided."""
    selection.keep_phase(tx, event)


@inbox.on(ApplicationSubmitted)
async def on_application(tx: Transaction, event: ApplicationSubmitted, envelope: Envelope) -> None:
    """A city applied."""
    await selection.receive(tx, event, envelope)


@inbox.projects(ApplicationSubmitted)
async def keep_application(tx: Transaction, event: ApplicationSubmitted, _: Envelope) -> None:
    """Whose an application is."""
    selection.keep_application(tx, event)


@inbox.on(ApplicationRefused)
async def on_application_refused(tx: Transaction, event: ApplicationRefused, envelope: Envelope) -> None:
    """An application was not taken."""
    await selection.refuse(tx, event, envelope)


@inbox.on(ApplicationWithdrawn)
async def on_application_withdrawn(tx: Transaction, event: ApplicationWithdrawn, envelope: Envelope) -> None:
    """An application was taken back."""
    await selection.withdraw(tx, event, envelope)


@inbox.projects(ApplicationWithdrawn)
async def keep_application_withdrawn(tx: Transaction, event: ApplicationWithdrawn, _: Envelope) -> None:
    """Which applications were taken back."""
    selection.end_application(tx, event)


@inbox.on(ApplicationDecided)
async def on_application_decided(tx: Transaction, event: ApplicationDecided, envelope: Envelope) -> None:
    """An application has its result."""
    await selection.decide(tx, event, envelope)


@inbox.on(DecisionPublished)
async def on_decision(tx: Transaction, event: DecisionPublished, envelope: Envelope) -> None:
    """A call's result is public."""
    await selection.publish_decision(tx, event, envelope)


@inbox.on(*PARTICIPATION_FACTS)
async def on_participation(tx: Transaction, event: ParticipationFact, envelope: Envelope) -> None:
    """A participation is another than before."""
    await participations.change_participation(tx, event, envelope)


@inbox.projects(*PARTICIPATION_FACTS)
async def keep_participation(tx: Transaction, event: ParticipationFact, _: Envelope) -> None:
    """Whose a participation is."""
    participations.keep_participation(tx, event)


@inbox.on(PlaceGranted, PlaceReleased)
async def on_places(tx: Transaction, event: PlaceGranted | PlaceReleased, envelope: Envelope) -> None:
    """A city may book places, or no longer."""
    await participations.change_places(tx, event, envelope)
